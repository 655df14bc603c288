//! TLS and SASL: known by name, so that a configuration that needs them fails with a reason.

use super::{alias, boolean, callback, choice, int, text, Property};

const NO_TLS: &str = "TLS is not supported in this version";
const NO_SASL: &str = "SASL is not supported in this version";
const KINIT: &str = "kinit -R -t \"%{sasl.kerberos.keytab}\" -k %{sasl.kerberos.principal} || kinit -t \
                     \"%{sasl.kerberos.keytab}\" -k %{sasl.kerberos.principal}";

pub(super) static ROWS: &[Property] = &[
    choice("security.protocol", &["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"], "plaintext")
        .high()
        .refused("only `plaintext` is supported in this version")
        .about("How to talk to brokers."),
    text("ssl.cipher.suites").refused(NO_TLS).about("Cipher suites for TLS."),
    text("ssl.curves.list").refused(NO_TLS).about("Curves for TLS key exchange."),
    text("ssl.sigalgs.list").refused(NO_TLS).about("Signature algorithms for TLS client certificates."),
    text("ssl.key.location").refused(NO_TLS).about("File of the client's private key (PEM)."),
    text("ssl.key.password").secret().refused(NO_TLS).about("Password of the client's private key."),
    text("ssl.key.pem").secret().refused(NO_TLS).about("The client's private key itself (PEM)."),
    callback("ssl_key", "").refused(NO_TLS).about("The client's private key, from memory."),
    text("ssl.certificate.location").refused(NO_TLS).about("File of the client's certificate (PEM)."),
    text("ssl.certificate.pem").refused(NO_TLS).about("The client's certificate itself (PEM)."),
    callback("ssl_certificate", "").refused(NO_TLS).about("The client's certificate, from memory."),
    text("ssl.ca.location")
        .refused(NO_TLS)
        .about("File or folder of the certificates that brokers' certificates are checked with."),
    text("https.ca.location").refused(NO_TLS).about("The same for HTTPS requests to a token endpoint."),
    text("https.ca.pem").refused(NO_TLS).about("CA certificates for HTTPS requests, themselves (PEM)."),
    text("ssl.ca.pem").refused(NO_TLS).about("CA certificates themselves (PEM)."),
    callback("ssl_ca", "").refused(NO_TLS).about("CA certificates, from memory."),
    text("ssl.ca.certificate.stores")
        .or("Root")
        .refused(NO_TLS)
        .about("Windows certificate stores to take CA certificates from."),
    text("ssl.crl.location").refused(NO_TLS).about("File of revoked certificates."),
    text("ssl.keystore.location").refused(NO_TLS).about("File with the client's key and certificate (PKCS#12)."),
    text("ssl.keystore.password").secret().refused(NO_TLS).about("Password of the key store."),
    text("ssl.providers").refused(NO_TLS).about("OpenSSL 3 providers."),
    text("ssl.engine.location").deprecated().refused(NO_TLS).about("OpenSSL engine library."),
    text("ssl.engine.id").or("dynamic").refused(NO_TLS).about("OpenSSL engine id."),
    callback("ssl_engine_callback_data", "").refused(NO_TLS).about("Data for the OpenSSL engine."),
    boolean("enable.ssl.certificate.verification", true).refused(NO_TLS).about("Check brokers' certificates."),
    choice("ssl.endpoint.identification.algorithm", &["none", "https"], "https")
        .refused(NO_TLS)
        .about("Check that a broker's certificate is for its host name."),
    callback("ssl.certificate.verify_cb", "").refused(NO_TLS).about("Called to check a broker's certificate."),
    text("sasl.mechanisms")
        .or("GSSAPI")
        .high()
        .refused(NO_SASL)
        .about("SASL mechanism: GSSAPI, PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER."),
    alias("sasl.mechanism", "sasl.mechanisms").high(),
    text("sasl.kerberos.service.name").or("kafka").refused(NO_SASL).about("Kerberos principal the brokers run as."),
    text("sasl.kerberos.principal").or("kafkaclient").refused(NO_SASL).about("This client's Kerberos principal."),
    text("sasl.kerberos.kinit.cmd").or(KINIT).refused(NO_SASL).about("Command that gets a Kerberos ticket."),
    text("sasl.kerberos.keytab").refused(NO_SASL).about("Kerberos keytab file."),
    int("sasl.kerberos.min.time.before.relogin", 0, 86_400_000, 60_000)
        .refused(NO_SASL)
        .about("Shortest time between two ticket refreshes, in milliseconds."),
    text("sasl.username").high().refused(NO_SASL).about("User name for PLAIN and SCRAM."),
    text("sasl.password").high().secret().refused(NO_SASL).about("Password for PLAIN and SCRAM."),
    text("sasl.oauthbearer.config").secret().refused(NO_SASL).about("Settings of the mechanism OAUTHBEARER."),
    boolean("enable.sasl.oauthbearer.unsecure.jwt", false).refused(NO_SASL).about("Make unsigned tokens, for tests."),
    callback("oauthbearer_token_refresh_cb", "").refused(NO_SASL).about("Called when a token must be renewed."),
    choice("sasl.oauthbearer.method", &["default", "oidc"], "default").refused(NO_SASL).about("How tokens are got."),
    text("sasl.oauthbearer.client.id").refused(NO_SASL).about("Client id at the token endpoint."),
    alias("sasl.oauthbearer.client.credentials.client.id", "sasl.oauthbearer.client.id"),
    alias("sasl.oauthbearer.client.credentials.client.secret", "sasl.oauthbearer.client.secret"),
    text("sasl.oauthbearer.client.secret").secret().refused(NO_SASL).about("Client secret at the token endpoint."),
    text("sasl.oauthbearer.scope").refused(NO_SASL).about("Scope asked of the token endpoint."),
    text("sasl.oauthbearer.extensions")
        .refused(NO_SASL)
        .about("Extensions sent with the token, `key=value` separated by commas."),
    text("sasl.oauthbearer.token.endpoint.url").refused(NO_SASL).about("Address of the token endpoint."),
    text("sasl.oauthbearer.sub.claim.name").or("sub").refused(NO_SASL).about("Claim that names the principal."),
    choice(
        "sasl.oauthbearer.grant.type",
        &["client_credentials", "urn:ietf:params:oauth:grant-type:jwt-bearer"],
        "client_credentials",
    )
    .refused(NO_SASL)
    .about("OAuth grant type."),
    choice("sasl.oauthbearer.assertion.algorithm", &["RS256", "ES256"], "RS256")
        .refused(NO_SASL)
        .about("Algorithm that signs the assertion."),
    text("sasl.oauthbearer.assertion.private.key.file").refused(NO_SASL).about("Key that signs the assertion."),
    text("sasl.oauthbearer.assertion.private.key.passphrase").secret().refused(NO_SASL).about("Password of that key."),
    text("sasl.oauthbearer.assertion.private.key.pem").secret().refused(NO_SASL).about("That key itself (PEM)."),
    text("sasl.oauthbearer.assertion.file").refused(NO_SASL).about("File of a ready assertion."),
    text("sasl.oauthbearer.assertion.claim.aud").refused(NO_SASL).about("Audience of the assertion."),
    int("sasl.oauthbearer.assertion.claim.exp.seconds", 1, 2_147_483_647, 300)
        .refused(NO_SASL)
        .about("Lifetime of the assertion in seconds."),
    text("sasl.oauthbearer.assertion.claim.iss").refused(NO_SASL).about("Issuer of the assertion."),
    boolean("sasl.oauthbearer.assertion.claim.jti.include", false).refused(NO_SASL).about("Give each assertion an id."),
    int("sasl.oauthbearer.assertion.claim.nbf.seconds", 0, 2_147_483_647, 60)
        .refused(NO_SASL)
        .about("Seconds before now from which the assertion is valid."),
    text("sasl.oauthbearer.assertion.claim.sub").refused(NO_SASL).about("Subject of the assertion."),
    text("sasl.oauthbearer.assertion.jwt.template.file").refused(NO_SASL).about("Template of the assertion."),
    choice("sasl.oauthbearer.metadata.authentication.type", &["none", "azure_imds", "aws_iam"], "none")
        .refused(NO_SASL)
        .about("Cloud metadata service that gives tokens."),
];
