//! TLS and SASL. What belongs to OpenSSL or to Kerberos is known by name, so that setting it fails with advice.

use super::{alias, boolean, callback, choice, int, text, Property};

const OPENSSL: &str = "TLS is done by rustls here, which has no OpenSSL engines and providers";
const KEYSTORE: &str =
    "PKCS#12 and JKS key stores are not supported: convert the store to PEM (openssl pkcs12 -in STORE -out \
                        client.pem) and give that file as `ssl.certificate.location` and `ssl.key.location`";
const FROM_MEMORY: &str = "give the PEM text itself as `ssl.key.pem`, `ssl.certificate.pem` or `ssl.ca.pem`";
const WINDOWS: &str = "the system's own certificates are used whenever `ssl.ca.location` and `ssl.ca.pem` are not set";
const SIGALGS: &str = "rustls offers every signature algorithm that is safe, and no other";
const GSSAPI: &str =
    "Kerberos (GSSAPI) is not supported in this version; brokers offer SCRAM-SHA-512 or OAUTHBEARER beside it";
const METADATA: &str = "cloud metadata services are not supported in this version; for Amazon MSK see \
                        `sasl.mechanisms=AWS_MSK_IAM`, else get tokens yourself and give them by \
                        rk_producer_oauthbearer_set_token()";
const KINIT: &str = "kinit -R -t \"%{sasl.kerberos.keytab}\" -k %{sasl.kerberos.principal} || kinit -t \
                     \"%{sasl.kerberos.keytab}\" -k %{sasl.kerberos.principal}";

pub(super) static ROWS: &[Property] = &[
    choice("security.protocol", &["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"], "plaintext")
        .high()
        .about("How to talk to brokers: `plaintext`, `ssl` (TLS), or either with SASL authentication."),
    text("ssl.cipher.suites").about(
        "Cipher suites that TLS may use, by their IANA or OpenSSL names, separated by colons or commas. \
              Default: every one that rustls thinks safe.",
    ),
    text("ssl.curves.list").about(
        "Groups for TLS key exchange in the order of preference, separated by colons: `X25519`, `P-256` \
              (`prime256v1`), `P-384` (`secp384r1`).",
    ),
    text("ssl.sigalgs.list").refused(SIGALGS).about("Signature algorithms for TLS client certificates."),
    text("ssl.key.location").about(
        "File of the client's private key (PEM: PKCS#8, encrypted PKCS#8, PKCS#1 or SEC1), read again when it \
              has changed and a connection is made.",
    ),
    text("ssl.key.password").secret().about("Password of the client's private key (encrypted PKCS#8)."),
    text("ssl.key.pem").secret().about("The client's private key itself (PEM)."),
    callback("ssl_key", "").refused(FROM_MEMORY).about("The client's private key, from memory."),
    text("ssl.certificate.location").about(
        "File of the client's certificate and those that lead to its CA (PEM), read again when it has changed \
              and a connection is made.",
    ),
    text("ssl.certificate.pem").about("The client's certificate itself (PEM)."),
    callback("ssl_certificate", "").refused(FROM_MEMORY).about("The client's certificate, from memory."),
    text("ssl.ca.location").about(
        "File or folder of the CA certificates (PEM) that brokers' certificates are checked with. Default, \
                  or `probe`: the system's.",
    ),
    text("https.ca.location").about("The same for HTTPS requests to a token endpoint."),
    text("https.ca.pem").about("CA certificates for HTTPS requests, themselves (PEM)."),
    text("ssl.ca.pem").about("CA certificates themselves (PEM)."),
    callback("ssl_ca", "").refused(FROM_MEMORY).about("CA certificates, from memory."),
    text("ssl.ca.certificate.stores")
        .or("Root")
        .refused(WINDOWS)
        .about("Windows certificate stores to take CA certificates from."),
    text("ssl.crl.location").about("File of certificate revocation lists (PEM)."),
    text("ssl.keystore.location").refused(KEYSTORE).about("File with the client's key and certificate (PKCS#12)."),
    text("ssl.keystore.password").secret().refused(KEYSTORE).about("Password of the key store."),
    text("ssl.providers").refused(OPENSSL).about("OpenSSL 3 providers."),
    text("ssl.engine.location").deprecated().refused(OPENSSL).about("OpenSSL engine library."),
    text("ssl.engine.id").or("dynamic").refused(OPENSSL).about("OpenSSL engine id."),
    callback("ssl_engine_callback_data", "").refused(OPENSSL).about("Data for the OpenSSL engine."),
    boolean("enable.ssl.certificate.verification", true).about(
        "Check brokers' certificates. Switched off, anybody on the way can read and change everything; a \
              warning says so.",
    ),
    choice("ssl.endpoint.identification.algorithm", &["none", "https"], "https").about(
        "Check that a broker's certificate is for its host name (`https`), or only that a known CA has \
                  signed it (`none`).",
    ),
    callback("ssl.certificate.verify_cb", "rk_conf_set_ssl_cert_verify_cb()")
        .about("Called to check a broker's certificate, after it was checked."),
    text("sasl.mechanisms").or("GSSAPI").high().about(
        "SASL mechanism: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER, or AWS_MSK_IAM (tokens for \
                  Amazon MSK, signed with the credentials in the environment). The default, GSSAPI, is not \
                  supported: one of these must be set, or the name of one that rk_conf_set_sasl_cb() brings along.",
    ),
    alias("sasl.mechanism", "sasl.mechanisms").high(),
    text("sasl.kerberos.service.name").or("kafka").refused(GSSAPI).about("Kerberos principal the brokers run as."),
    text("sasl.kerberos.principal").or("kafkaclient").refused(GSSAPI).about("This client's Kerberos principal."),
    text("sasl.kerberos.kinit.cmd").or(KINIT).refused(GSSAPI).about("Command that gets a Kerberos ticket."),
    text("sasl.kerberos.keytab").refused(GSSAPI).about("Kerberos keytab file."),
    int("sasl.kerberos.min.time.before.relogin", 0, 86_400_000, 60_000)
        .refused(GSSAPI)
        .about("Shortest time between two ticket refreshes, in milliseconds."),
    text("sasl.username").high().about("User name for PLAIN and SCRAM."),
    text("sasl.password").high().secret().about("Password for PLAIN and SCRAM."),
    text("sasl.oauthbearer.config").secret().about(
        "Settings of unsecured tokens: `principal=NAME principalClaimName=sub scope=A,B scopeClaimName=scope \
              lifeSeconds=3600 extension_NAME=VALUE`. With AWS_MSK_IAM: `region=NAME`.",
    ),
    boolean("enable.sasl.oauthbearer.unsecure.jwt", false)
        .about("Make unsigned tokens of `sasl.oauthbearer.config`, for tests."),
    callback("oauthbearer_token_refresh_cb", "rk_conf_set_oauthbearer_token_refresh_cb()")
        .about("Called when a token must be renewed."),
    choice("sasl.oauthbearer.method", &["default", "oidc"], "default")
        .about("How tokens are got: by the refresh callback (`default`), or from a token endpoint (`oidc`)."),
    text("sasl.oauthbearer.client.id").about("Client id at the token endpoint."),
    alias("sasl.oauthbearer.client.credentials.client.id", "sasl.oauthbearer.client.id"),
    alias("sasl.oauthbearer.client.credentials.client.secret", "sasl.oauthbearer.client.secret"),
    text("sasl.oauthbearer.client.secret").secret().about("Client secret at the token endpoint."),
    text("sasl.oauthbearer.scope").about("Scope asked of the token endpoint."),
    text("sasl.oauthbearer.extensions").about("Extensions sent with the token, `key=value` separated by commas."),
    text("sasl.oauthbearer.token.endpoint.url").about("Address of the token endpoint."),
    text("sasl.oauthbearer.sub.claim.name").or("sub").about("Claim that names the principal."),
    choice(
        "sasl.oauthbearer.grant.type",
        &["client_credentials", "urn:ietf:params:oauth:grant-type:jwt-bearer"],
        "client_credentials",
    )
    .about(
        "How the client proves itself to the token endpoint: by its id and secret, or by an assertion, a JWT that \
              it signs (RFC 7523).",
    ),
    choice("sasl.oauthbearer.assertion.algorithm", &["RS256", "ES256"], "RS256")
        .about("Algorithm that signs the assertion: RSA, or ECDSA with P-256."),
    text("sasl.oauthbearer.assertion.private.key.file")
        .about("File of the key that signs the assertion (PEM), read for each."),
    text("sasl.oauthbearer.assertion.private.key.passphrase")
        .secret()
        .about("Password of that key (encrypted PKCS#8)."),
    text("sasl.oauthbearer.assertion.private.key.pem").secret().about("That key itself (PEM)."),
    text("sasl.oauthbearer.assertion.file")
        .about("File of an assertion that is ready, read for each token; then none is made."),
    text("sasl.oauthbearer.assertion.claim.aud").about("Audience of the assertion (`aud`)."),
    int("sasl.oauthbearer.assertion.claim.exp.seconds", 1, 2_147_483_647, 300)
        .about("Seconds for which the assertion is valid (`exp`)."),
    text("sasl.oauthbearer.assertion.claim.iss").about("Issuer of the assertion (`iss`)."),
    boolean("sasl.oauthbearer.assertion.claim.jti.include", false)
        .about("Give each assertion an id of its own (`jti`)."),
    int("sasl.oauthbearer.assertion.claim.nbf.seconds", 0, 2_147_483_647, 60)
        .about("Seconds before now from which the assertion is valid (`nbf`)."),
    text("sasl.oauthbearer.assertion.claim.sub").about("Subject of the assertion (`sub`)."),
    text("sasl.oauthbearer.assertion.jwt.template.file").about(
        "File of a JSON object with the objects `header` and `payload`, to which the assertion adds what the other \
              properties say.",
    ),
    choice("sasl.oauthbearer.metadata.authentication.type", &["none", "azure_imds", "aws_iam"], "none")
        .refused(METADATA)
        .about("Cloud metadata service that gives tokens."),
];
