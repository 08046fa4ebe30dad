//! Programs that cannot be started, and what those get that can.

use std::collections::BTreeMap;
use std::path::PathBuf;

use activator_bin::testing::launch::{LaunchSpec, PortSpec};

use crate::scene::{Instance, SERVER, launch, process, processes};

async fn check_failure(spec: LaunchSpec, expected: &str) {
    let mut instance = Instance::start(spec);
    assert_eq!(instance.ended().await, expected);
}

#[tokio::test]
async fn what_is_wrong_with_a_command_is_said() {
    let check = async |command: &[&str], expected: &str| {
        check_failure(launch(process(command)), expected).await;
    };
    check(
        &["no-such-program-at-all"],
        "cannot run \"no-such-program-at-all\": there is no such program on its PATH",
    )
    .await;
    check(
        &["/no/such/program"],
        "cannot run \"/no/such/program\": there is no such file",
    )
    .await;
    check(
        &["/etc/passwd"],
        "cannot run \"/etc/passwd\": Permission denied (os error 13)",
    )
    .await;
    check(
        &["/etc"],
        "cannot run \"/etc\": Permission denied (os error 13)",
    )
    .await;
    check(&[], "there is no command").await;
}

#[tokio::test]
async fn what_is_wrong_with_its_surroundings_is_said() {
    let mut spec = process(&["true"]);
    spec.dir = Some(PathBuf::from("/no/such/directory"));
    let expected =
        "cannot enter the directory /no/such/directory: No such file or directory (os error 2)";
    check_failure(launch(spec), expected).await;

    let mut spec = process(&["./true"]);
    spec.dir = Some(PathBuf::from("/etc"));
    check_failure(
        launch(spec),
        "cannot run \"./true\": there is no such file in /etc",
    )
    .await;

    let mut spec = process(&["true"]);
    spec.user = Some("nobody-like-this".to_owned());
    check_failure(launch(spec), "there is no user \"nobody-like-this\"").await;
}

#[tokio::test]
async fn a_fixed_port_that_is_taken_is_an_error_before_the_start() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let mut spec = process(&["true"]);
    spec.port = PortSpec::Fixed(port);
    let expected =
        format!("port {port} of 127.0.0.1 cannot be used: Address already in use (os error 98)");
    check_failure(launch(spec), &expected).await;
}

#[tokio::test]
async fn instances_at_the_same_time_have_ports_of_their_own() {
    let processes = processes();
    let mut instances: Vec<_> = (0..3)
        .map(|_| Instance::start_by(&processes, launch(process(&SERVER)), &[]))
        .collect();
    let mut ports = Vec::new();
    for instance in &mut instances {
        instance.ready().await;
        let [place] = instance.running.places() else {
            panic!("one place");
        };
        assert_eq!(place.socket, None);
        tokio::net::TcpStream::connect(place.address).await.unwrap();
        ports.push(place.address.port());
    }
    ports.sort_unstable();
    ports.dedup();
    assert_eq!(ports.len(), 3);
    for mut instance in instances {
        instance.running.stop();
        assert_eq!(instance.ended().await, "was ended by SIGTERM");
    }
}

#[tokio::test]
async fn a_program_has_the_environment_and_the_descriptors_that_are_its_own() {
    // Anything that this process has open might be inherited by mistake.
    let _open: Vec<_> = (0..200)
        .map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap())
        .collect();
    let list = "import os; print('env', dict(os.environ)); print('fds', [int(fd) for fd in os.listdir('/proc/self/fd')]);\
                print('stdin', os.readlink('/proc/self/fd/0')); print('cwd', os.getcwd()); \
                print('group', os.getpgrp() == os.getpid(), os.getsid(0) != os.getpid())";
    let mut spec = process(&["python3", "-c", list]);
    spec.dir = Some(PathBuf::from("/"));
    spec.env = BTreeMap::from([
        ("NUMBER".to_owned(), "{index} of {name}".to_owned()),
        ("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin".to_owned()),
        ("HOME".to_owned(), "/srv".to_owned()),
        ("USER".to_owned(), "me".to_owned()),
        ("LOGNAME".to_owned(), "me".to_owned()),
        // Python sets it, depending on what is not there.
        ("LC_CTYPE".to_owned(), "C.UTF-8".to_owned()),
    ]);
    let mut instance = Instance::start(launch(spec));
    assert_eq!(instance.ended().await, "exited with code 0");
    let port = instance.running.places()[0].address.port();
    let env = format!(
        "env {{'HOME': '/srv', 'LC_CTYPE': 'C.UTF-8', 'LOGNAME': 'me', 'NUMBER': '0 of hello', \
         'PATH': '/usr/local/bin:/usr/bin:/bin', 'PORT': '{port}', 'USER': 'me'}}"
    );
    let expected = [
        env.as_str(),
        // The last one is that of the directory.
        "fds [0, 1, 2, 3]",
        "stdin /dev/null",
        "cwd /",
        "group True True",
    ];
    assert_eq!(instance.running.tail(), expected);
}
