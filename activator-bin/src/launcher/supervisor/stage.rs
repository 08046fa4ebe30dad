//! The process that becomes the program: what can only be done by the process itself.

use std::convert::Infallible;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use rustix::io::FdFlags;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::channel::Channel;
use super::order::{NotStarted, Stage, Surroundings};
use super::user::Account;

/// The first descriptor that is passed to a program, as `sd_listen_fds(3)` says.
const FIRST: i32 = 3;

/// Becomes the program that the supervisor says; tells it why if that fails.
pub(super) fn run(mut channel: Channel) -> ExitCode {
    let Ok(Some(stage)) = channel.receive::<Stage>() else {
        return ExitCode::FAILURE;
    };
    let listener = channel.take_passed();
    let Err(why) = become_program(&stage, listener);
    // There is nobody else to tell.
    let _ = channel.send(&NotStarted { why });
    ExitCode::FAILURE
}

fn become_program(stage: &Stage, listener: Option<OwnedFd>) -> Result<Infallible, String> {
    let Surroundings {
        env,
        dir,
        user,
        open_files,
        private,
    } = &stage.surroundings;
    let (program, arguments) = stage.command.split_first().ok_or("there is no command")?;
    let nothing = File::open("/dev/null").and_then(|null| Ok(rustix::stdio::dup2_stdin(null)?));
    nothing.map_err(|error| format!("/dev/null: {error}"))?;
    let mut command = Command::new(program);
    command.args(arguments).env_clear();
    let is_passed = listener.is_some();
    if let Some(listener) = listener {
        pass(listener).map_err(|error| format!("cannot pass the socket: {error}"))?;
    }
    if let Some(open_files) = *open_files {
        limit(open_files).map_err(|error| format!("cannot limit its open files: {error}"))?;
    }
    if let Some(user) = user {
        let account = Account::find(user)?;
        if !account.is_current() {
            if let Some(private) = private {
                account.own(private)?;
            }
            account.switch(user)?;
        }
        command.envs(account.env());
    }
    command.envs(env);
    if is_passed {
        command.env("LISTEN_PID", std::process::id().to_string());
    }
    if let Some(dir) = dir {
        // Programs are told by it where they are.
        let entered = std::env::set_current_dir(dir);
        entered
            .map_err(|error| format!("cannot enter the directory {}: {error}", dir.display()))?;
    }
    end_with(stage.supervisor)?;
    Err(not_run(program, dir.as_deref(), &command.exec()))
}

/// Makes the socket the first one that is passed.
fn pass(listener: OwnedFd) -> io::Result<()> {
    let listener = if listener.as_raw_fd() == FIRST {
        listener
    } else {
        rustix::io::fcntl_dupfd_cloexec(&listener, FIRST)?
    };
    rustix::io::fcntl_setfd(&listener, FdFlags::empty())?;
    let number = listener.into_raw_fd();
    if number == FIRST {
        Ok(())
    } else {
        Err(io::Error::other(format!("it would be number {number}")))
    }
}

fn limit(open_files: u64) -> io::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let limit = Rlimit {
        current: Some(open_files),
        ..limit
    };
    Ok(setrlimit(Resource::Nofile, limit)?)
}

/// The program ends by SIGKILL when its supervisor does.
#[cfg(target_os = "linux")]
fn end_with(supervisor: i32) -> Result<(), String> {
    use rustix::process::{Signal, getppid, set_parent_process_death_signal};

    set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|error| format!("cannot tie it to its supervisor: {error}"))?;
    let parent = getppid().map(|pid| pid.as_raw_nonzero().get());
    if parent == Some(supervisor) {
        Ok(())
    } else {
        Err("its supervisor has ended".to_owned())
    }
}

#[cfg(not(target_os = "linux"))]
fn end_with(_: i32) -> Result<(), String> {
    Ok(())
}

fn not_run(program: &str, dir: Option<&Path>, error: &io::Error) -> String {
    let cannot = format!("cannot run {program:?}");
    if error.kind() != io::ErrorKind::NotFound {
        return format!("{cannot}: {error}");
    }
    if !program.contains('/') {
        return format!("{cannot}: there is no such program on its PATH");
    }
    if Path::new(program).exists() {
        return format!("{cannot}: it is there, but not the interpreter that it needs");
    }
    match dir {
        Some(dir) if !program.starts_with('/') => {
            format!("{cannot}: there is no such file in {}", dir.display())
        }
        _ => format!("{cannot}: there is no such file"),
    }
}
