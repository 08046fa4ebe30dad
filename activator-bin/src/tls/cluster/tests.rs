//! Values of the Secret and of trust bundles, good and bad, in any order.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair};

use super::*;
use crate::tls::TlsVersion;

pub(super) fn cluster() -> ClusterTls {
    let negotiation = Negotiation::since(TlsVersion::V1_3);
    let offer = Offer {
        negotiation: negotiation.clone(),
        http2: true,
    };
    ClusterTls::new(offer, negotiation)
}

/// A self-signed certificate and its key, in PEM.
pub(super) fn certified(name: &str) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

pub(super) fn authority(name: &str) -> String {
    certified(name).0
}

impl ClusterTls {
    /// The problems with these values.
    fn secret(&self, crt: &str, key: &str, ca: &str) -> String {
        said(self.set_certificates(crt.as_bytes(), key.as_bytes(), ca.as_bytes()))
    }

    fn bundles(&self, bundles: &[(&str, &str)]) -> String {
        let bundles = bundles
            .iter()
            .map(|&(name, text)| (name.into(), text.into()));
        said(self.set_trust_bundles(bundles.collect()))
    }

    /// The subjects of the CA certificates that are trusted, sorted.
    pub(super) fn trusted_names(&self) -> Vec<String> {
        let trusted = self.trusted.load();
        let roots = trusted.as_ref().map_or(&[][..], |it| it.anchors());
        let name = |it: &TrustAnchor<'_>| {
            let subject = String::from_utf8_lossy(&it.subject);
            subject
                .rsplit(|it: char| !it.is_ascii_alphanumeric())
                .next()
                .unwrap()
                .to_owned()
        };
        let mut names: Vec<_> = roots.iter().map(name).collect();
        names.sort();
        names
    }

    fn reads(&self) -> (Option<bool>, Option<bool>) {
        let good = |read: &Read| matches!(read, Read::Good { .. });
        (
            self.certificate_read.borrow().as_ref().map(good),
            self.authorities_read.borrow().as_ref().map(good),
        )
    }
}

fn said(result: Result<(), TlsProblems>) -> String {
    result.map_or_else(|problems| problems.to_string(), |()| "good".to_owned())
}

#[test]
fn nothing_is_trusted_until_it_is_set() {
    let cluster = cluster();
    assert_eq!(cluster.reads(), (None, None));
    assert!(cluster.trusted().load().is_none());
    let (crt, key) = certified("one");
    assert_eq!(cluster.secret(&crt, &key, ""), "good");
    assert_eq!(cluster.reads(), (Some(true), Some(true)));
    assert!(cluster.trusted().load().is_none());
    assert_eq!(cluster.bundles(&[("ours", &authority("two"))]), "good");
    assert_eq!(cluster.trusted_names(), ["two"]);
}

#[test]
fn the_parts_of_a_bad_secret_are_kept_or_used_on_their_own() {
    const NO_KEY: &str = "Secret routing-serving-certs: tls.key contains no private key; a PEM file with -----BEGIN PRIVATE KEY-----, without a password, is expected";
    const OTHER_KEY: &str = "Secret routing-serving-certs: tls.key contains a private key that does not match the first certificate of tls.crt";
    const NO_CA: &str = "Secret routing-serving-certs: ca.crt contains no certificate; a PEM file with -----BEGIN CERTIFICATE----- is expected";
    let cluster = cluster();
    let ((crt, key), (other, other_key)) = (certified("one"), certified("other"));
    let (first, second) = (authority("first"), authority("second"));
    assert_eq!(cluster.secret(&crt, &key, &first), "good");
    let listener = || cluster.listener.load_full();
    let before = listener();

    assert_eq!(cluster.secret(&other, &key, &second), OTHER_KEY);
    assert_eq!(cluster.reads(), (Some(false), Some(true)));
    assert!(Arc::ptr_eq(&before, &listener()));
    assert_eq!(cluster.trusted_names(), ["second"]);

    assert_eq!(cluster.secret(&other, &other_key, "\x30\u{82}"), NO_CA);
    assert_eq!(cluster.reads(), (Some(true), Some(false)));
    assert!(!Arc::ptr_eq(&before, &listener()));
    assert_eq!(cluster.trusted_names(), ["second"]);

    assert_eq!(
        cluster.secret(&other, "", "none"),
        format!("{NO_KEY}\n{NO_CA}")
    );
    assert_eq!(cluster.reads(), (Some(false), Some(false)));
    assert_eq!(cluster.trusted_names(), ["second"]);

    // It is optional: only wrong values are ignored.
    assert_eq!(cluster.secret(&other, &other_key, "\n"), "good");
    assert_eq!(cluster.reads(), (Some(true), Some(true)));
    assert!(cluster.trusted_names().is_empty());
}

#[test]
fn every_usable_certificate_of_a_value_is_trusted() {
    const BROKEN: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    const NOT_BASE64: &str = "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";
    let cluster = cluster();
    let (crt, key) = certified("leaf");
    let [a, b, c, d] = ["a", "b", "c", "d"].map(authority);
    assert_eq!(cluster.secret(&crt, &key, &format!("{a}{b}")), "good");
    assert_eq!(cluster.trusted_names(), ["a", "b"]);

    let mixed = format!("# ours\n{BROKEN}{c}{NOT_BASE64}{BROKEN}");
    let said = cluster.bundles(&[("map: bad", &mixed), ("map: good", &d), ("map: none", "")]);
    let lines: Vec<_> = said.lines().collect();
    assert!(
        lines[0].starts_with("map: bad contains a certificate that cannot be used: "),
        "{said}"
    );
    assert!(
        lines[1].starts_with("map: none contains no certificate; "),
        "{said}"
    );
    assert_eq!(lines.len(), 2, "{said}");
    assert_eq!(cluster.trusted_names(), ["a", "b", "c", "d"]);
    assert_eq!(cluster.reads(), (Some(true), Some(false)));

    // One that becomes bad keeps what it had; one that is gone does not.
    cluster.bundles(&[("map: bad", NOT_BASE64)]);
    assert_eq!(cluster.trusted_names(), ["a", "b", "c"]);
    assert_eq!(cluster.bundles(&[]), "good");
    assert_eq!(cluster.trusted_names(), ["a", "b"]);
    assert_eq!(cluster.reads(), (Some(true), Some(true)));
}

#[test]
fn the_number_of_authorities_is_limited() {
    let cluster = cluster();
    let a = authority("a");
    let many = a.repeat(MAX_AUTHORITIES);
    assert_eq!(
        cluster.bundles(&[("1", &many), ("2", &a)]),
        "2 is not used: the trust bundles have more than 4096 certificates"
    );
    assert_eq!(cluster.trusted_names().len(), MAX_AUTHORITIES);
    assert_eq!(cluster.bundles(&[("2", &a)]), "good");
    assert_eq!(cluster.trusted_names(), ["a"]);
}

#[test]
fn the_same_content_replaces_nothing() {
    let cluster = cluster();
    let ((crt, key), ca) = (certified("leaf"), authority("a"));
    let set = || {
        assert_eq!(cluster.secret(&crt, &key, &ca), "good");
        assert_eq!(cluster.bundles(&[("b", &ca)]), "good");
        let trusted = cluster.trusted.load_full().unwrap();
        (cluster.listener.load_full(), trusted)
    };
    let (listener, trusted) = set();
    let (same_listener, same_trusted) = set();
    assert!(Arc::ptr_eq(&listener, &same_listener));
    assert!(Arc::ptr_eq(&trusted, &same_trusted));
}

#[tokio::test]
async fn changes_are_told_with_the_expiry() {
    let cluster = cluster();
    let (crt, key) = certified("leaf");
    assert_eq!(cluster.secret(&crt, &key, "none"), {
        let problem = What::NoCertificate.of("Secret routing-serving-certs: ca.crt");
        problem.to_string()
    });
    let (certificate, mut certificates) = tokio::sync::mpsc::unbounded_channel();
    let (authority_read, mut authorities) = tokio::sync::mpsc::unbounded_channel();
    let following = async {
        tokio::join!(
            cluster.follow_certificate(move |read| certificate.send(read).unwrap()),
            cluster.follow_authorities(move |read| authority_read.send(read).unwrap()),
        )
    };
    let steps = async {
        let read = certificates.recv().await.unwrap();
        assert!(matches!(read, Read::Good { not_after: Some(_) }));
        assert_eq!(authorities.recv().await, Some(Read::Bad));
        assert_eq!(cluster.bundles(&[("b", &authority("a"))]), "good");
        assert_eq!(authorities.recv().await, Some(Read::Bad));
        cluster.secret("", "", "");
        assert_eq!(certificates.recv().await, Some(Read::Bad));
        let good = Read::Good { not_after: None };
        assert_eq!(authorities.recv().await, Some(good));
    };
    tokio::select! {
        _ = following => panic!("it never ends"),
        () = steps => {}
    }
}
