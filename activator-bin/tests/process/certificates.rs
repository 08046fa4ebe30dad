//! The program while its certificates change: what new connections see, what it logs, and what a SIGHUP does.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::directory::Directory;
use crate::program::{FREE, PATIENCE, Program, activator, activator_with_sockets};
use crate::sockets::{HELLO, ask, connect, listener};

const DAY: Duration = Duration::from_secs(86_400);
const NAME: &str = "proxy.example";

/// A program that listens for TLS, and the files that it shows.
struct Activator {
    program: Program,
    directory: Directory,
    https: SocketAddr,
    admin: SocketAddr,
}

/// A certificate that vouches for itself, and its key.
struct Certified {
    certificate: String,
    key: String,
}

impl Certified {
    fn new() -> Self {
        Self::until(SystemTime::now() + 100 * DAY)
    }

    fn until(not_after: SystemTime) -> Self {
        let since_1970 = not_after.duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([NAME.to_owned()]).unwrap();
        params.not_after = date_time_ymd(1970, 1, 1) + since_1970;
        Self {
            certificate: params.self_signed(&key).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }
}

impl Activator {
    fn start(certified: &Certified) -> Self {
        let directory = Directory::new();
        let ((https, https_address), (admin, admin_address)) = (listener(), listener());
        let mut command = activator_with_sockets("https:admin", https, admin);
        command
            .args(["--listen-http", "127.0.0.1:0"])
            .args(["--listen-https", "127.0.0.1:0"])
            .arg("--tls-certificate")
            .arg(directory.write("tls.crt", &certified.certificate))
            .arg("--tls-key")
            .arg(directory.write("tls.key", &certified.key));
        Self {
            program: Program::start(&mut command),
            directory,
            https: https_address,
            admin: admin_address,
        }
    }

    fn write(&self, name: &str, text: &str) {
        self.directory.write(name, text);
    }

    fn logs(&self, expected: &str) {
        self.program.logs_at_last(expected);
    }

    /// Waits until the files have been read, and were good or bad.
    fn until_loaded(&self, good: bool) {
        self.until_metric("last_reload_success", u8::from(good).into());
    }

    fn until_metric(&self, name: &str, value: u64) {
        let expected = format!("\nactivator_certificate_{name}{{section=\"tls\"}} {value}\n");
        let begin = Instant::now();
        while !self.metrics().contains(&expected) {
            assert!(begin.elapsed() < PATIENCE, "{expected}");
            sleep(Duration::from_millis(5));
        }
    }

    fn metrics(&self) -> String {
        ask(connect(self.admin), "x", "/metrics")
    }

    /// A request is served on a new connection that trusts nobody but `certified`.
    fn check_served(&self, certified: &Certified) {
        let certificate = CertificateDer::from_pem_slice(certified.certificate.as_bytes());
        let mut roots = RootCertStore::empty();
        roots.add(certificate.unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from(NAME).unwrap();
        let session = ClientConnection::new(Arc::new(config), name).unwrap();
        let answer = ask(StreamOwned::new(session, connect(self.https)), HELLO, "/");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    }
}

const NEW: &str = "new connections use the new files of [tls]";
const BAD: &str = "the new files of [tls] are invalid, the previous ones stay in use";
const BAD_KEY: &str = "tls.key contains no private key";

#[test]
fn new_files_are_used_and_bad_ones_are_logged() {
    let (first, second) = (Certified::new(), Certified::new());
    let activator = Activator::start(&first);
    // From then on it is a change of the files that is told, not what they were at the start.
    activator.until_loaded(true);
    activator.check_served(&first);

    // On a busy machine they may also be read in between, and be bad for a moment.
    activator.write("tls.crt", &second.certificate);
    activator.write("tls.key", &second.key);
    activator.logs(NEW);
    activator.check_served(&second);

    activator.write("tls.key", "no key");
    activator.logs(BAD);
    activator.logs(BAD_KEY);
    activator.until_loaded(false);
    activator.check_served(&second);
    activator.program.signal("HUP");
    activator.logs(BAD);
    activator.logs(BAD_KEY);

    activator.write("tls.key", &second.key);
    activator.logs(NEW);
    activator.until_loaded(true);
    activator.program.signal("HUP");
    activator.logs(NEW);
    activator.check_served(&second);
    activator.program.signal("TERM");
    activator.logs("stopped");
    activator.program.ends(0);
}

#[test]
fn expiry_is_logged_and_measured() {
    let now = SystemTime::now();
    for (end, told) in [
        (now - DAY, "the certificate of [tls] has expired, at "),
        (now + DAY / 4, "the certificate of [tls] expires soon, at "),
    ] {
        let activator = Activator::start(&Certified::until(end));
        let seconds = end.duration_since(SystemTime::UNIX_EPOCH).unwrap();
        activator.until_metric("expiration_timestamp_seconds", seconds.as_secs());
        activator.logs(told);
        activator.program.signal("TERM");
        activator.logs("stopped");
        activator.program.ends(0);
    }
}

#[test]
fn bad_files_of_a_certificate_for_some_hosts_are_logged_with_its_hosts() {
    let certified = Certified::new();
    let directory = Directory::new();
    let file = |name: &str, text: &str| directory.write(name, text).display().to_string();
    let certificate = file("a.crt", &certified.certificate);
    let key = file("a.key", &certified.key);
    let config = format!(
        "[listen]\nhttps = '127.0.0.1:0'\n[[certificate]]\nhosts = ['{NAME}']\ncertificate = '{certificate}'\nkey = '{key}'\n"
    );
    let config = file("activator.toml", &config);
    let program = Program::start(activator(FREE).args(["--config", &config]));
    program.serves();
    let section = format!("certificate[0] ({NAME})");
    file("a.key", "no key");
    program.logs(&format!(
        "the new files of {section} are invalid, the previous ones stay in use"
    ));
    program.logs(&format!(
        "certificate[0].key: {key} contains no private key"
    ));
    file("a.key", &certified.key);
    program.logs(&format!("new connections use the new files of {section}"));
    program.stop();
}
