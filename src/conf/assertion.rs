//! The settings of OAuth's JWT-bearer grant: `sasl.oauthbearer.assertion.*`.

use super::{Conf, Secret, Typed};

/// The value of `sasl.oauthbearer.grant.type` that asks for it.
pub(super) const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// `sasl.oauthbearer.assertion.algorithm`
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum AssertionAlgorithm {
    #[default]
    Rs256,
    Es256,
}

impl AssertionAlgorithm {
    /// As in a JWT's header.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
        }
    }
}

/// What an assertion is made of. Texts that are not set are empty.
#[derive(Clone, Debug, Default)]
pub struct AssertionSettings {
    /// A ready one; else it is made of the rest.
    pub file: String,
    pub algorithm: AssertionAlgorithm,
    pub key_file: String,
    pub key_pem: Secret,
    pub key_passphrase: Secret,
    pub template_file: String,
    pub subject: String,
    pub issuer: String,
    pub audience: String,
    pub expires_seconds: i64,
    pub not_before_seconds: i64,
    /// `sasl.oauthbearer.assertion.claim.jti.include`
    pub with_id: bool,
}

const FILE: &str = "sasl.oauthbearer.assertion.file";
const KEY_FILE: &str = "sasl.oauthbearer.assertion.private.key.file";
const KEY_PEM: &str = "sasl.oauthbearer.assertion.private.key.pem";

/// What a ready assertion leaves nothing to do for.
const OF_ONE_MADE_HERE: [&str; 10] = [
    KEY_FILE,
    KEY_PEM,
    "sasl.oauthbearer.assertion.private.key.passphrase",
    "sasl.oauthbearer.assertion.jwt.template.file",
    "sasl.oauthbearer.assertion.claim.sub",
    "sasl.oauthbearer.assertion.claim.iss",
    "sasl.oauthbearer.assertion.claim.aud",
    "sasl.oauthbearer.assertion.claim.jti.include",
    "sasl.oauthbearer.assertion.claim.exp.seconds",
    "sasl.oauthbearer.assertion.claim.nbf.seconds",
];

impl Conf {
    /// What the JWT-bearer grant demands of the other properties.
    pub(super) fn finalize_assertion(&self, g: &Typed<'_>) -> Result<(), String> {
        if !g.text(FILE).is_empty() {
            return match OF_ONE_MADE_HERE.into_iter().find(|name| self.is_modified(name)) {
                Some(name) => Err(format!(
                    "`{FILE}` and `{name}` cannot both be set: an assertion that is ready is sent as it is"
                )),
                None => Ok(()),
            };
        }
        match (g.text(KEY_FILE).is_empty(), g.text(KEY_PEM).is_empty()) {
            (false, false) => Err(format!("`{KEY_FILE}` and `{KEY_PEM}` cannot both be set")),
            (true, true) => Err(format!(
                "`sasl.oauthbearer.grant.type={JWT_BEARER}` needs a key to sign with, `{KEY_FILE}` or `{KEY_PEM}`, or a ready \
                 assertion, `{FILE}`"
            )),
            _ => Ok(()),
        }
    }
}

pub(super) fn settings(g: &Typed<'_>) -> Option<AssertionSettings> {
    (g.text("sasl.oauthbearer.grant.type") == JWT_BEARER).then(|| AssertionSettings {
        file: g.owned(FILE),
        algorithm: match g.text("sasl.oauthbearer.assertion.algorithm") {
            "ES256" => AssertionAlgorithm::Es256,
            _ => AssertionAlgorithm::Rs256,
        },
        key_file: g.owned(KEY_FILE),
        key_pem: g.secret(KEY_PEM),
        key_passphrase: g.secret("sasl.oauthbearer.assertion.private.key.passphrase"),
        template_file: g.owned("sasl.oauthbearer.assertion.jwt.template.file"),
        subject: g.owned("sasl.oauthbearer.assertion.claim.sub"),
        issuer: g.owned("sasl.oauthbearer.assertion.claim.iss"),
        audience: g.owned("sasl.oauthbearer.assertion.claim.aud"),
        expires_seconds: g.int("sasl.oauthbearer.assertion.claim.exp.seconds"),
        not_before_seconds: g.int("sasl.oauthbearer.assertion.claim.nbf.seconds"),
        with_id: g.on("sasl.oauthbearer.assertion.claim.jti.include"),
    })
}
