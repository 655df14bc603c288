//! Certificates, keys and revocation lists out of PEM text and files.

use base64::Engine;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::fs;
use std::path::Path;
use zeroize::Zeroizing;

/// Reads a file. The error names property and file.
pub fn read(property: &str, path: &str) -> Result<Zeroizing<Vec<u8>>, String> {
    fs::read(path).map(Zeroizing::new).map_err(|e| format!("`{property}`: cannot read {path}: {e}"))
}

/// All certificates of a PEM text; at least one.
pub fn certificates(source: &str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match all {
        Ok(list) if list.is_empty() => Err(format!("`{source}`: no certificate in it (PEM is wanted{})", kind_of(pem))),
        Ok(list) => Ok(list),
        Err(e) => Err(format!("`{source}`: damaged PEM: {e}")),
    }
}

/// What else the bytes may be, for the error text.
fn kind_of(bytes: &[u8]) -> &'static str {
    match bytes {
        [0x30, 0x80..=0x84, ..] => "; this looks like DER or PKCS#12: convert it with openssl",
        [0xfe, 0xed, 0xfe, 0xed, ..] => "; this is a Java key store: convert it with keytool and openssl",
        _ => "",
    }
}

/// The certificates of a file, or of every file of a folder.
pub fn certificates_at(property: &str, path: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    if !Path::new(path).is_dir() {
        return certificates(&format!("{property}={path}"), &read(property, path)?);
    }
    let entries = fs::read_dir(path).map_err(|e| format!("`{property}`: cannot read {path}: {e}"))?;
    let mut all = Vec::new();
    for entry in entries.flatten().filter(|e| e.path().is_file()) {
        // A folder of certificates may hold other files too.
        if let Ok(list) = fs::read(entry.path()).map_err(|_| ()).and_then(|b| certificates("", &b).map_err(|_| ())) {
            all.extend(list);
        }
    }
    if all.is_empty() {
        return Err(format!("`{property}`: no PEM certificate in the folder {path}"));
    }
    Ok(all)
}

/// Revocation lists of a PEM text; at least one.
pub fn revocation_lists(source: &str, pem: &[u8]) -> Result<Vec<CertificateRevocationListDer<'static>>, String> {
    let all: Result<Vec<_>, _> = CertificateRevocationListDer::pem_slice_iter(pem).collect();
    match all {
        Ok(list) if list.is_empty() => Err(format!("`{source}`: no revocation list in it (PEM is wanted)")),
        Ok(list) => Ok(list),
        Err(e) => Err(format!("`{source}`: damaged PEM: {e}")),
    }
}

const ENCRYPTED: (&str, &str) = ("-----BEGIN ENCRYPTED PRIVATE KEY-----", "-----END ENCRYPTED PRIVATE KEY-----");

/// The private key of a PEM text, decrypted if it is encrypted: with the password, which is of the property named.
pub fn private_key(source: &str, pem: &[u8], password: (&str, &str)) -> Result<PrivateKeyDer<'static>, String> {
    let text = std::str::from_utf8(pem)
        .map_err(|_| format!("`{source}`: no private key in it (PEM is wanted{})", kind_of(pem)))?;
    if text.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(format!(
            "`{source}`: the key is encrypted in OpenSSL's old way; convert it: openssl pkcs8 -topk8 -in KEY -out NEW"
        ));
    }
    if let Some(body) = text.split_once(ENCRYPTED.0).and_then(|(_, rest)| rest.split_once(ENCRYPTED.1)) {
        return encrypted_key(source, body.0, password);
    }
    PrivateKeyDer::from_pem_slice(pem).map_err(|e| match e {
        rustls::pki_types::pem::Error::NoItemsFound => format!("`{source}`: no private key in it (PEM is wanted)"),
        e => format!("`{source}`: damaged PEM: {e}"),
    })
}

fn encrypted_key(
    source: &str,
    body: &str,
    (password, property): (&str, &str),
) -> Result<PrivateKeyDer<'static>, String> {
    if password.is_empty() {
        return Err(format!("`{source}`: the key is encrypted, and no password is given (`{property}`)"));
    }
    let compact: String = body.chars().filter(|c| !c.is_whitespace()).collect();
    let der = base64::engine::general_purpose::STANDARD
        .decode(compact)
        .map_err(|e| format!("`{source}`: damaged PEM: {e}"))?;
    let info = pkcs8::EncryptedPrivateKeyInfo::try_from(der.as_slice())
        .map_err(|e| format!("`{source}`: the encrypted key cannot be read: {e}"))?;
    let plain = info.decrypt(password).map_err(|_| {
        format!(
            "`{source}`: the key cannot be decrypted: the password (`{property}`) is wrong, or the cipher not known"
        )
    })?;
    // A wrong password is found out by the padding alone, so one in a few hundred passes until here.
    pkcs8::PrivateKeyInfo::try_from(plain.as_bytes())
        .map_err(|_| format!("`{source}`: the key cannot be decrypted: the password (`{property}`) is wrong"))?;
    Ok(PrivatePkcs8KeyDer::from(plain.as_bytes().to_vec()).into())
}
