//! Programs that run as another user.

use activator_bin::testing::launch::{PortSpec, Ready};

use crate::scene::{Instance, launch, process};

/// Says what it may do, and listens.
const PROGRAM: &str = "
import os, socket, sys, time
print('ids', os.getresuid(), os.getresgid(), sorted(os.getgroups()))
print('home', os.environ.get('HOME'), os.environ.get('USER'), os.environ.get('LOGNAME'))
try: os.setuid(0); print('root again')
except PermissionError: print('never root again')
directory = os.stat(os.path.dirname(sys.argv[1]))
print('directory', oct(directory.st_mode), directory.st_uid)
listener = socket.socket(socket.AF_UNIX); listener.bind(sys.argv[1]); listener.listen()
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.connect(os.environ['NOTIFY_SOCKET']); notify.send(b'READY=1')
time.sleep(1000)";

async fn check(user: &str, expected: &[&str]) {
    let mut spec = process(&["python3", "-u", "-c", PROGRAM, "{socket}"]);
    spec.port = PortSpec::Socket;
    spec.user = Some(user.to_owned());
    let mut spec = launch(spec);
    spec.ready = Ready::Notify;
    let mut instance = Instance::start(spec);
    instance.ready().await;
    assert_eq!(instance.running.tail(), expected);
    instance.running.stop();
    assert_eq!(instance.ended().await, "was ended by SIGTERM");
}

#[tokio::test]
async fn a_program_has_the_rights_of_its_user_and_no_others() {
    if !rustix::process::geteuid().is_root() {
        println!("only root can switch users: see the test beside this one");
        return;
    }
    let id = |option: &str| {
        let id = std::process::Command::new("id")
            .args([option, "nobody"])
            .output();
        String::from_utf8(id.unwrap().stdout)
            .unwrap()
            .trim()
            .to_owned()
    };
    let (uid, gid) = (id("-u"), id("-g"));
    let ids = format!("ids ({uid}, {uid}, {uid}) ({gid}, {gid}, {gid}) [{gid}]");
    let directory = format!("directory 0o40700 {uid}");
    check(
        "nobody",
        &[
            &ids,
            "home /nonexistent nobody nobody",
            "never root again",
            &directory,
        ],
    )
    .await;
    // A number that no name belongs to.
    check(
        "48151",
        &[
            "ids (48151, 48151, 48151) (48151, 48151, 48151) []",
            "home None None None",
            "never root again",
            "directory 0o40700 48151",
        ],
    )
    .await;
}

#[tokio::test]
async fn only_root_can_switch_users() {
    if rustix::process::geteuid().is_root() {
        println!("this process is root: see the test beside this one");
        return;
    }
    let mut spec = process(&["true"]);
    spec.user = Some("root".to_owned());
    let own = rustix::process::geteuid().as_raw();
    let expected = format!(
        "cannot run as user \"root\": only root can switch users, and the activator runs as user {own}"
    );
    assert_eq!(Instance::start(launch(spec)).ended().await, expected);
}
