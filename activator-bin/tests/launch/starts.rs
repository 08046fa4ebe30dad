//! Programs that cannot be started, and what those get that can.

use std::path::PathBuf;

use activator_bin::testing::launch::{LaunchSpec, PortSpec, ProcessSpec};

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

/// What a program prints.
async fn printed(process: ProcessSpec) -> Vec<String> {
    let mut instance = Instance::start(launch(process));
    let how = instance.ended().await;
    let printed = instance.running.tail();
    assert_eq!(how, "exited with code 0", "{printed:?}");
    printed
}

#[tokio::test]
async fn a_program_has_the_environment_that_it_is_given_and_no_other() {
    let mut spec = process(&["env"]);
    let env = [
        "NUMBER={index} of {name}",
        "HOME=/srv",
        "USER=me",
        "LOGNAME=",
        "PATH=/usr/bin:/bin",
    ];
    let split = |variable: &str| {
        let (name, value) = variable.split_once('=').unwrap();
        (name.to_owned(), value.to_owned())
    };
    spec.env = env.into_iter().map(split).collect();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let number = free.local_addr().unwrap().port();
    drop(free);
    spec.port = PortSpec::Fixed(number);
    let mut printed = printed(spec).await;
    printed.sort_unstable();
    let expected = [
        "HOME=/srv",
        "LOGNAME=",
        "NUMBER=0 of hello",
        "PATH=/usr/bin:/bin",
        &format!("PORT={number}"),
        "USER=me",
    ];
    assert_eq!(printed, expected);
}

#[tokio::test]
async fn a_program_inherits_no_descriptor_but_its_own() {
    // Anything that this process has open might be inherited by mistake, like what it inherited itself.
    let open = || std::fs::File::open("/dev/null").unwrap();
    let _open: [_; 200] = std::array::from_fn(|_| open());
    let inherited: [_; 3] = std::array::from_fn(|_| open());
    for file in &inherited {
        rustix::io::fcntl_setfd(file, rustix::io::FdFlags::empty()).unwrap();
    }
    // The last one is that of the directory.
    let descriptors = printed(process(&["ls", "/proc/self/fd"])).await;
    assert_eq!(descriptors, ["0", "1", "2", "3"]);
}

#[tokio::test]
async fn a_program_is_in_its_directory_and_in_a_group_of_its_own() {
    let mut spec = process(&["readlink", "/proc/self/fd/0", "/proc/self/cwd"]);
    spec.dir = Some(PathBuf::from("/"));
    assert_eq!(printed(spec).await, ["/dev/null", "/"]);

    let numbers = printed(process(&["cut", "-d ", "-f1,4,5,6", "/proc/self/stat"])).await;
    let numbers: Vec<&str> = numbers[0].split(' ').collect();
    let [pid, supervisor, group, session] = numbers[..] else {
        panic!("{numbers:?}");
    };
    assert_eq!(group, pid);
    assert_eq!(session, supervisor);
}
