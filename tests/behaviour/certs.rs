//! Certificates made for the test that needs them.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rkafka::mock::{MockCluster, Options, Security};
use std::sync::Arc;

/// A certificate and its key, PEM.
pub struct Identity {
    pub certificate: String,
    pub key: String,
}

/// A CA.
pub struct Ca {
    pub pem: String,
    issuer: Issuer<'static, KeyPair>,
}

fn named(name: &str, hosts: &[&str]) -> CertificateParams {
    let hosts: Vec<String> = hosts.iter().map(|h| (*h).to_owned()).collect();
    let mut p = CertificateParams::new(hosts).expect("host names");
    p.distinguished_name.push(DnType::CommonName, name);
    p
}

impl Ca {
    pub fn new() -> Ca {
        let mut p = named("test CA", &[]);
        p.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        p.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("a key");
        let pem = p.self_signed(&key).expect("a certificate").pem();
        Ca { pem, issuer: Issuer::new(p, key) }
    }

    /// A certificate for these hosts, valid from and to the first of January of these years.
    pub fn issue_for(&self, hosts: &[&str], years: (i32, i32)) -> Identity {
        let mut p = named("test broker", hosts);
        p.not_before = rcgen::date_time_ymd(years.0, 1, 1);
        p.not_after = rcgen::date_time_ymd(years.1, 1, 1);
        let key = KeyPair::generate().expect("a key");
        let certificate = p.signed_by(&key, &self.issuer).expect("a certificate").pem();
        Identity { certificate, key: key.serialize_pem() }
    }

    pub fn issue(&self, hosts: &[&str]) -> Identity {
        self.issue_for(hosts, (2020, 2120))
    }

    /// Security of a broker at 127.0.0.1 and localhost.
    pub fn server(&self) -> Security {
        let id = self.issue(&["127.0.0.1", "localhost"]);
        Security::default().with_tls(&id.certificate, &id.key, None).expect("TLS")
    }
}

/// A certificate that is its own CA.
pub fn self_signed(hosts: &[&str]) -> Identity {
    let mut p = named("lone broker", hosts);
    p.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let certificate = p.self_signed(&key).expect("a certificate").pem();
    Identity { certificate, key: key.serialize_pem() }
}

/// A cluster of one broker with that security.
pub fn cluster(security: Security) -> Arc<MockCluster> {
    let c = MockCluster::new(1, Options::default()).expect("a cluster");
    c.set_security(security);
    c
}
