//! Programs in a directory that is all they see.

use std::path::Path;
use std::process::Command;

/// Runs `program` of `root` there, as `user` (numbers, with its group), with no variables but `PATH`, with this machine's /proc
/// and /dev where there are directories for them, and with nothing to write on.
pub(crate) fn command(root: &Path, user: &str, program: &str) -> Command {
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "sh", "-c"])
        .arg(
            "mount --bind \"$0\" \"$0\" && mount --options remount,bind,ro \"$0\" \
             && for it in proc dev; do [ ! -d \"$0/$it\" ] || mount --rbind \"/$it\" \"$0/$it\" || exit; done \
             && user=$1 && shift && exec chroot --userspec=\"$user\" --groups= \"$0\" \"$@\"",
        )
        .arg(root)
        .args([user, program])
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    command
}
