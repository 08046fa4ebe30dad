//! Valid and invalid files, and connections with their content.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;

use rcgen::{CertificateParams, KeyPair};
use rustls::{CipherSuite, ServerConfig};

use super::*;
use crate::tls::TlsVersion;

/// A directory that is removed after the test.
struct Directory(PathBuf);

impl Directory {
    fn new(test: &str) -> Self {
        let name = format!("activator-tls-{test}-{}", std::process::id());
        let directory = Self(std::env::temp_dir().join(name));
        fs::create_dir_all(&directory.0).unwrap();
        directory
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A self-signed certificate and its key, in PEM.
fn certified() -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["proxy.example".to_owned()]).unwrap();
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

fn pair(directory: &Directory) -> Pair {
    Pair {
        section: SECTION.to_owned(),
        hosts: Vec::new(),
        certificate: directory.0.join("tls.crt"),
        key: directory.0.join("tls.key"),
        offer: offer(),
    }
}

fn offer() -> Offer {
    Offer {
        negotiation: Negotiation::since(TlsVersion::V1_3),
        http2: true,
    }
}

/// The problems reported for files with these contents; `None` for a missing file.
fn said_of(directory: &Directory, certificate: Option<&str>, key: Option<&str>) -> String {
    let files = pair(directory);
    for (path, text) in [(&files.certificate, certificate), (&files.key, key)] {
        let _ = fs::remove_file(path);
        if let Some(text) = text {
            fs::write(path, text).unwrap();
        }
    }
    let said = files
        .load()
        .map_or_else(|it| it.to_string(), |_| "good".to_owned());
    said.replace(&*directory.0.to_string_lossy(), "")
}

#[test]
fn all_problems_of_a_pair_are_reported_at_once() {
    let directory = Directory::new("pair");
    let (certificate, key) = certified();
    let (_, other_key) = certified();
    let no_file = "cannot be read: No such file or directory (os error 2)";
    let no_certificate =
        "contains no certificate; a PEM file with -----BEGIN CERTIFICATE----- is expected";
    let no_key = "contains no private key; a PEM file with -----BEGIN PRIVATE KEY-----, without a password, is expected";
    let check = |certificate, key, expected: &[String]| {
        let said = said_of(&directory, certificate, key);
        assert_eq!(said, expected.join("\n"));
    };
    let of_certificate = |what: &str| format!("tls.certificate: /tls.crt {what}");
    let of_key = |what: &str| format!("tls.key: /tls.key {what}");
    check(Some(&certificate), Some(&key), &["good".to_owned()]);
    // One file may contain both.
    let both = format!("{key}{certificate}");
    check(Some(&both), Some(&both), &["good".to_owned()]);
    check(None, None, &[of_certificate(no_file), of_key(no_file)]);
    check(
        Some(""),
        Some(&certificate),
        &[of_certificate(no_certificate), of_key(no_key)],
    );
    check(Some(&key), Some(&key), &[of_certificate(no_certificate)]);
    let password = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    check(Some(&certificate), Some(&password), &[of_key(no_key)]);
    let other = "contains a private key that does not match the first certificate of /tls.crt";
    check(Some(&certificate), Some(&other_key), &[of_key(other)]);
    let half = &certificate[..certificate.len() / 2];
    let said = said_of(&directory, Some(half), Some(&key));
    let not_pem = of_certificate("is not valid PEM: ");
    assert!(said.starts_with(&not_pem), "{said}");
    let nonsense = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let said = said_of(&directory, Some(&certificate), Some(nonsense));
    let bad_key = of_key("contains a private key that cannot be used: ");
    assert!(said.starts_with(&bad_key), "{said}");
    let nonsense = nonsense.replace("PRIVATE KEY", "CERTIFICATE");
    let said = said_of(&directory, Some(&nonsense), Some(&key));
    let bad = of_certificate("contains a certificate that cannot be used: ");
    assert!(said.starts_with(&bad), "{said}");
}

#[test]
fn a_key_that_no_cipher_suite_can_use_is_refused() {
    let directory = Directory::new("suites");
    let (certificate, key) = certified();
    let with = |versions, suite| {
        let mut files = pair(&directory);
        fs::write(&files.certificate, &certificate).unwrap();
        fs::write(&files.key, &key).unwrap();
        files.offer.negotiation = Negotiation::try_new(versions, &[suite], &[]).unwrap();
        let problems = files.load().err()?.to_string();
        Some(problems.replace(&*directory.0.to_string_lossy(), ""))
    };
    let (of_rsa, of_ecdsa) = (
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    );
    let old = TlsVersion::V1_2..=TlsVersion::V1_2;
    assert_eq!(with(old.clone(), of_ecdsa), None);
    assert_eq!(with(TlsVersion::V1_2..=TlsVersion::V1_3, of_rsa), None);
    let expected =
        "tls.key: /tls.key contains a private key that none of tls.cipher_suites can use";
    assert_eq!(with(old, of_rsa).as_deref(), Some(expected));
}

#[test]
fn a_ca_file_needs_a_certificate() {
    let directory = Directory::new("authorities");
    let (certificate, key) = certified();
    let check = |text: &str, expected: &str| {
        let ca_file = directory.write("ca.pem", text);
        let files = Authorities {
            ca_file,
            negotiation: Negotiation::since(TlsVersion::V1_3),
        };
        let said = files
            .load()
            .map_or_else(|it| it.to_string(), |_| "good".to_owned());
        let said = said.replace(&*directory.0.to_string_lossy(), "");
        assert_eq!(said, expected);
    };
    check(&certificate, "good");
    check(&certificate.repeat(3), "good");
    check(
        &key,
        "backend_tls.ca_file: /ca.pem contains no certificate; a PEM file with -----BEGIN CERTIFICATE----- is expected",
    );
}

#[test]
fn the_previous_content_stays_when_the_files_become_invalid() {
    let directory = Directory::new("reload");
    let (certificate, key) = certified();
    directory.write("tls.crt", &certificate);
    directory.write("tls.key", &key);
    let current = Current::try_new(pair(&directory)).unwrap();
    let content = || current.content().load_full();
    let first: Arc<ServerConfig> = content();
    let (certificate, key) = certified();
    directory.write("tls.crt", &certificate);
    assert!(current.reload().is_err());
    assert!(Arc::ptr_eq(&first, &content()));
    directory.write("tls.key", &key);
    current.reload().unwrap();
    assert!(!Arc::ptr_eq(&first, &content()));
}

/// A file that cannot be read the first few times.
struct Passing {
    path: PathBuf,
    failures: AtomicUsize,
}

impl Files for Passing {
    type Content = Arc<()>;

    fn section(&self) -> &str {
        "passing"
    }

    fn paths(&self) -> Vec<&Path> {
        vec![&self.path]
    }

    fn load(&self) -> Result<Loaded<Arc<()>>, TlsProblems> {
        let less = |left: usize| left.checked_sub(1);
        match self.failures.fetch_update(SeqCst, SeqCst, less) {
            Ok(_) => {
                let error = std::io::Error::from_raw_os_error(24);
                let unread = problem::What::Unread(error.into());
                Err(unread.of("tls.key").into())
            }
            Err(_) => Ok(Loaded {
                content: Arc::default(),
                not_after: None,
            }),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn unreadable_files_are_retried_until_they_can_be_read() {
    let directory = Directory::new("passing");
    let files = Passing {
        path: directory.write("tls.key", "never changes"),
        failures: AtomicUsize::new(0),
    };
    let current = Arc::new(Current::try_new(files).unwrap());
    current.files.failures.store(20, SeqCst);
    let (reads, mut outcomes) = tokio::sync::mpsc::unbounded_channel();
    let on_read = move |read| reads.send(matches!(read, Read::Good { .. })).unwrap();
    let following = tokio::spawn(follow(current, on_read));
    for _ in 0..20 {
        assert_eq!(outcomes.recv().await, Some(false));
    }
    assert_eq!(outcomes.recv().await, Some(true));
    // It is not read again without a reason.
    let more = tokio::time::timeout(std::time::Duration::from_secs(600), outcomes.recv()).await;
    assert!(more.is_err());
    following.abort();
}

#[test]
fn http2_is_offered_if_enabled() {
    let directory = Directory::new("alpn");
    let (certificate, key) = certified();
    directory.write("tls.crt", &certificate);
    directory.write("tls.key", &key);
    let offered = |http2| {
        let mut pair = pair(&directory);
        pair.offer.http2 = http2;
        pair.load().unwrap().content.alpn_protocols.clone()
    };
    assert_eq!(offered(true), [&b"h2"[..], b"http/1.1"]);
    assert_eq!(offered(false), [b"http/1.1"]);
}
