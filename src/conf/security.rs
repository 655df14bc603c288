//! The typed settings of TLS and SASL, and what their properties demand of each other.

use super::assertion::{self, AssertionSettings, JWT_BEARER};
use super::table::TABLE;
use super::{Conf, Scope, Typed};
use std::fmt;
use zeroize::Zeroizing;

/// A password, key or token: never shown, and wiped from memory when dropped.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(Zeroizing::new(text.into()))
    }

    /// The parts joined, with no copy left anywhere.
    pub fn concat(parts: &[&str]) -> Secret {
        let mut text = Zeroizing::new(String::with_capacity(parts.iter().map(|p| p.len()).sum()));
        parts.iter().for_each(|p| text.push_str(p));
        Secret(text)
    }

    /// The secret itself. Keep no copies that are not wiped.
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(super::REDACTED)
    }
}

/// `security.protocol`
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum SecurityProtocol {
    #[default]
    Plaintext,
    Ssl,
    SaslPlaintext,
    SaslSsl,
}

impl SecurityProtocol {
    pub const ALL: [SecurityProtocol; 4] = [Self::Plaintext, Self::Ssl, Self::SaslPlaintext, Self::SaslSsl];

    /// As in configurations, in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plaintext => "plaintext",
            Self::Ssl => "ssl",
            Self::SaslPlaintext => "sasl_plaintext",
            Self::SaslSsl => "sasl_ssl",
        }
    }

    pub fn tls(self) -> bool {
        matches!(self, Self::Ssl | Self::SaslSsl)
    }

    pub fn sasl(self) -> bool {
        matches!(self, Self::SaslPlaintext | Self::SaslSsl)
    }
}

/// `sasl.mechanisms`
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum SaslMechanism {
    #[default]
    Plain,
    ScramSha256,
    ScramSha512,
    OAuthBearer,
    /// OAUTHBEARER on the wire, with tokens that are signed here.
    AwsMskIam,
    /// The application's own, see `SaslSettings::custom`.
    Custom,
}

impl SaslMechanism {
    pub const ALL: [SaslMechanism; 5] =
        [Self::Plain, Self::ScramSha256, Self::ScramSha512, Self::OAuthBearer, Self::AwsMskIam];

    /// As in configurations; empty for the application's own.
    pub fn name(self) -> &'static str {
        match self {
            Self::AwsMskIam => "AWS_MSK_IAM",
            other => other.wire_name(),
        }
    }

    /// As in a SaslHandshake request.
    pub fn wire_name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
            Self::OAuthBearer | Self::AwsMskIam => "OAUTHBEARER",
            Self::Custom => "",
        }
    }

    /// Whether it needs tokens.
    pub fn token(self) -> bool {
        matches!(self, Self::OAuthBearer | Self::AwsMskIam)
    }
}

/// The properties `ssl.*`. Texts that are not set are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsSettings {
    /// File or folder; empty or `probe` for the system's.
    pub ca_location: String,
    pub ca_pem: String,
    pub crl_location: String,
    pub certificate_location: String,
    pub certificate_pem: String,
    pub key_location: String,
    pub key_pem: Secret,
    pub key_password: Secret,
    pub cipher_suites: String,
    pub curves: String,
    /// `enable.ssl.certificate.verification`
    pub verify: bool,
    /// `ssl.endpoint.identification.algorithm=https`
    pub verify_hostname: bool,
}

/// The properties `sasl.*`. Texts that are not set are empty.
#[derive(Clone, Debug, Default)]
pub struct SaslSettings {
    pub mechanism: SaslMechanism,
    /// Name of the application's own mechanism, if that is the one.
    pub custom: String,
    pub username: String,
    pub password: Secret,
    pub oauth: OAuthSettings,
}

impl SaslSettings {
    /// The mechanism's name as in a SaslHandshake request.
    pub fn wire_name(&self) -> &str {
        match self.mechanism {
            SaslMechanism::Custom => &self.custom,
            mechanism => mechanism.wire_name(),
        }
    }
}

/// The properties `sasl.oauthbearer.*`.
#[derive(Clone, Debug, Default)]
pub struct OAuthSettings {
    /// `sasl.oauthbearer.config`
    pub config: Secret,
    /// `enable.sasl.oauthbearer.unsecure.jwt`
    pub unsecured: bool,
    /// `sasl.oauthbearer.method=oidc`
    pub oidc: bool,
    pub token_endpoint: String,
    pub client_id: String,
    pub client_secret: Secret,
    pub scope: String,
    /// `sasl.oauthbearer.extensions`
    pub extensions: String,
    pub sub_claim: String,
    /// `https.ca.location` and `https.ca.pem`
    pub https_ca_location: String,
    pub https_ca_pem: String,
    /// `sasl.oauthbearer.grant.type` is the JWT-bearer grant.
    pub assertion: Option<AssertionSettings>,
}

/// How brokers are talked to.
#[derive(Clone, Debug, Default)]
pub struct SecuritySettings {
    pub protocol: SecurityProtocol,
    pub tls: TlsSettings,
    pub sasl: SaslSettings,
}

impl Typed<'_> {
    pub(super) fn secret(&self, name: &str) -> Secret {
        Secret::new(self.text(name))
    }

    pub(super) fn owned(&self, name: &str) -> String {
        self.text(name).to_owned()
    }
}

impl Conf {
    fn protocol(&self) -> SecurityProtocol {
        let global = Typed { conf: self, scope: Scope::Global };
        let name = global.text("security.protocol");
        SecurityProtocol::ALL.into_iter().find(|p| p.name() == name).unwrap_or_default()
    }

    fn mechanism(&self) -> Option<SaslMechanism> {
        let global = Typed { conf: self, scope: Scope::Global };
        let name = global.text("sasl.mechanisms").trim();
        if self.custom_mechanism.as_deref() == Some(name) {
            return Some(SaslMechanism::Custom);
        }
        SaslMechanism::ALL.into_iter().find(|m| m.name().eq_ignore_ascii_case(name))
    }

    /// What `security.protocol` and `sasl.mechanisms` demand of other properties.
    pub(super) fn finalize_security(&self) -> Result<(), String> {
        let g = Typed { conf: self, scope: Scope::Global };
        let protocol = self.protocol();
        for entry in g.text("bootstrap.servers").split(',') {
            let scheme = entry.trim().split_once("://").map(|(scheme, _)| scheme);
            if let Some(scheme) = scheme.filter(|s| !s.eq_ignore_ascii_case(protocol.name())) {
                return Err(format!(
                    "`bootstrap.servers`: `{}` is for the protocol {scheme}, but `security.protocol` is {}",
                    entry.trim(),
                    protocol.name()
                ));
            }
        }
        if protocol.tls() {
            let certificate =
                !g.text("ssl.certificate.location").is_empty() || !g.text("ssl.certificate.pem").is_empty();
            let key = !g.text("ssl.key.location").is_empty() || !g.text("ssl.key.pem").is_empty();
            if certificate != key {
                let (there, missing) = if key { ("key", "certificate") } else { ("certificate", "key") };
                return Err(format!(
                    "a client {there} is given without its {missing}: set `ssl.{missing}.location` or `ssl.{missing}.pem`"
                ));
            }
        }
        if protocol.sasl() {
            self.finalize_sasl(&g)?;
        }
        Ok(())
    }

    fn finalize_sasl(&self, g: &Typed<'_>) -> Result<(), String> {
        let mut known: Vec<&str> = SaslMechanism::ALL.iter().map(|m| m.name()).collect();
        known.extend(self.custom_mechanism.as_deref());
        let Some(mechanism) = self.mechanism() else {
            let name = g.text("sasl.mechanisms");
            let why = match name {
                "GSSAPI" => "Kerberos is not supported",
                _ => "there is no such mechanism here",
            };
            return Err(format!("`sasl.mechanisms` is {name}: {why}; set it to one of {}", known.join(", ")));
        };
        if mechanism == SaslMechanism::Custom {
            return Ok(());
        }
        if !mechanism.token() {
            for (name, value) in
                [("sasl.username", g.text("sasl.username")), ("sasl.password", g.text("sasl.password"))]
            {
                if value.is_empty() {
                    return Err(format!("`{name}` must be set for the SASL mechanism {}", mechanism.name()));
                }
                if value.contains('\0') {
                    return Err(format!("`{name}` must not hold a NUL character"));
                }
            }
            return Ok(());
        }
        if mechanism == SaslMechanism::OAuthBearer && g.text("sasl.oauthbearer.method") == "oidc" {
            let jwt_bearer = g.text("sasl.oauthbearer.grant.type") == JWT_BEARER;
            let client = ["sasl.oauthbearer.client.id", "sasl.oauthbearer.client.secret"];
            let client = if jwt_bearer { &[][..] } else { &client };
            for name in ["sasl.oauthbearer.token.endpoint.url"].iter().chain(client) {
                if g.text(name).is_empty() {
                    return Err(format!("`{name}` must be set when `sasl.oauthbearer.method` is oidc"));
                }
            }
            if jwt_bearer {
                self.finalize_assertion(g)?;
            }
            let url = g.text("sasl.oauthbearer.token.endpoint.url");
            if !url.starts_with("https://") && !url.starts_with("http://") {
                return Err(format!("`sasl.oauthbearer.token.endpoint.url`: `{url}` must begin with https://"));
            }
        }
        Ok(())
    }

    /// Warnings about settings that give security away.
    pub(super) fn security_warnings(&self, texts: &mut Vec<String>) {
        let g = Typed { conf: self, scope: Scope::Global };
        let protocol = self.protocol();
        if protocol.tls() && !g.on("enable.ssl.certificate.verification") {
            texts.push(
                "Configuration property enable.ssl.certificate.verification is false: anybody on the way to the brokers \
                 can pose as one, and read and change everything"
                    .to_owned(),
            );
        }
        let clear = protocol == SecurityProtocol::SaslPlaintext
            && self.mechanism().is_some_and(|m| m == SaslMechanism::Plain || m.token());
        if clear {
            texts.push(
                "Configuration property security.protocol is sasl_plaintext: passwords and tokens go over the network as \
                 they are"
                    .to_owned(),
            );
        }
        if g.text("sasl.oauthbearer.method") == "oidc"
            && g.text("sasl.oauthbearer.token.endpoint.url").starts_with("http://")
        {
            texts.push(
                "Configuration property sasl.oauthbearer.token.endpoint.url does not begin with https://: client secret \
                 and tokens go over the network as they are"
                    .to_owned(),
            );
        }
        for name in self.unused_security(protocol) {
            texts.push(format!(
                "Configuration property {name} has no effect with security.protocol={}",
                protocol.name()
            ));
        }
    }

    /// Properties that are set and that the protocol has no use for.
    fn unused_security(&self, protocol: SecurityProtocol) -> Vec<&'static str> {
        let unused = |name: &str| {
            (name.starts_with("ssl.") && !protocol.tls()) || (name.starts_with("sasl.") && !protocol.sasl())
        };
        let rows = TABLE.rows().iter().enumerate();
        rows.filter(|(at, row)| self.modified[TABLE.holder(*at)] && unused(row.name)).map(|(_, row)| row.name).collect()
    }

    pub(super) fn security_settings(&self) -> SecuritySettings {
        let g = Typed { conf: self, scope: Scope::Global };
        SecuritySettings {
            protocol: self.protocol(),
            tls: TlsSettings {
                ca_location: g.owned("ssl.ca.location"),
                ca_pem: g.owned("ssl.ca.pem"),
                crl_location: g.owned("ssl.crl.location"),
                certificate_location: g.owned("ssl.certificate.location"),
                certificate_pem: g.owned("ssl.certificate.pem"),
                key_location: g.owned("ssl.key.location"),
                key_pem: g.secret("ssl.key.pem"),
                key_password: g.secret("ssl.key.password"),
                cipher_suites: g.owned("ssl.cipher.suites"),
                curves: g.owned("ssl.curves.list"),
                verify: g.on("enable.ssl.certificate.verification"),
                verify_hostname: g.text("ssl.endpoint.identification.algorithm") == "https",
            },
            sasl: SaslSettings {
                mechanism: self.mechanism().unwrap_or_default(),
                custom: self.custom_mechanism.clone().unwrap_or_default(),
                username: g.owned("sasl.username"),
                password: g.secret("sasl.password"),
                oauth: OAuthSettings {
                    config: g.secret("sasl.oauthbearer.config"),
                    unsecured: g.on("enable.sasl.oauthbearer.unsecure.jwt"),
                    oidc: g.text("sasl.oauthbearer.method") == "oidc",
                    token_endpoint: g.owned("sasl.oauthbearer.token.endpoint.url"),
                    client_id: g.owned("sasl.oauthbearer.client.id"),
                    client_secret: g.secret("sasl.oauthbearer.client.secret"),
                    scope: g.owned("sasl.oauthbearer.scope"),
                    extensions: g.owned("sasl.oauthbearer.extensions"),
                    sub_claim: g.owned("sasl.oauthbearer.sub.claim.name"),
                    https_ca_location: g.owned("https.ca.location"),
                    https_ca_pem: g.owned("https.ca.pem"),
                    assertion: assertion::settings(&g),
                },
            },
        }
    }
}
