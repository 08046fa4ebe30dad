//! The supervisor of one instance: a process of its own, between the activator and the instance.
//!
//! It starts the instance, sees its end and that of all that belongs to it, and ends it once the activator is gone, for
//! whatever reason. Its standard input is a channel to the activator, its output is that of the instance.
//! It has no runtime, and starts within milliseconds.

use std::ffi::OsStr;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub(crate) mod channel;
mod child;
pub(crate) mod order;
mod plan;
mod stage;
pub(crate) mod user;
mod work;

use channel::Channel;
use order::Order;
use work::Work;

/// The command of the program that makes it a supervisor. It is not for people.
pub(crate) const COMMAND: &str = "supervise";

/// The argument that makes the program what a supervisor starts.
const STAGE: &str = "--stage";

/// The number of the channel's descriptor, or the next free one.
const CONTROL: i32 = 10;

/// The name of supervisors among processes, so that whoever kills the activator by its name leaves them their work.
#[cfg(target_os = "linux")]
const NAME: &std::ffi::CStr = c"supervise";

/// Does what `activator supervise` is started for.
pub(crate) fn main(mut arguments: impl Iterator<Item = impl AsRef<OsStr>>) -> ExitCode {
    let is_stage = arguments
        .next()
        .is_some_and(|first| first.as_ref() == STAGE);
    if !is_stage {
        close_strays();
    }
    let channel = match control() {
        Ok(channel) => channel,
        Err(error) => {
            eprintln!(
                "activator: {COMMAND} is what the activator starts beside an instance: {error}"
            );
            return ExitCode::from(2);
        }
    };
    if is_stage {
        return stage::run(channel);
    }
    match supervise(channel) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Ends up where the output of the instance does.
            eprintln!("activator: the supervisor cannot go on: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Closes what the activator was given by a careless parent and did not open itself: no program is to inherit it.
fn close_strays() {
    let Ok(open) = std::fs::read_dir("/dev/fd") else {
        return;
    };
    let names = open.flatten().map(|entry| entry.file_name());
    let numbers: Vec<i32> = names
        .filter_map(|name| name.to_str()?.parse().ok())
        .collect();
    for number in numbers.into_iter().filter(|number| *number > 2) {
        // One of them was that of the directory.
        let _ = nix::unistd::close(number);
    }
}

/// The channel on standard input.
fn control() -> io::Result<Channel> {
    // The lowest numbers are for what is passed to the program.
    let input = rustix::io::fcntl_dupfd_cloexec(io::stdin(), CONTROL)?;
    let stream = UnixStream::from(input);
    // It is a socket if it has a peer.
    stream.peer_addr()?;
    rustix::stdio::dup2_stdin(std::fs::File::open("/dev/null")?)?;
    Ok(Channel::new(stream))
}

fn supervise(mut control: Channel) -> io::Result<()> {
    // Out of the group and session of the activator: what a terminal sends is for that one.
    let _ = rustix::process::setsid();
    #[cfg(target_os = "linux")]
    {
        let _ = rustix::thread::set_name(NAME);
        let own = rustix::process::getpid();
        rustix::process::set_child_subreaper(Some(own))?;
    }
    let Some(order) = control.receive::<Order>()? else {
        return Ok(());
    };
    let private = order.surroundings.private.clone();
    let ended = Work::try_new(control, order).and_then(Work::run);
    if let Some(private) = private {
        let _ = std::fs::remove_dir_all(private);
    }
    ended
}

/// This program, even if its file was replaced meanwhile.
///
/// # Errors
/// The system does not tell.
pub fn program() -> io::Result<PathBuf> {
    let own = Path::new("/proc/self/exe");
    if cfg!(target_os = "linux") && own.exists() {
        Ok(own.to_owned())
    } else {
        std::env::current_exe()
    }
}
