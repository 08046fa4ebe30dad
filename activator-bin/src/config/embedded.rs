//! The configuration that runs without a file: something to try with one `curl`.

use std::path::PathBuf;

/// Its name in messages.
pub(super) const NAME: &str = "the embedded configuration";

/// Reports on standard output, and a service that is this program as well.
pub(crate) fn text() -> String {
    format!(
        r#"[[sink]]
kind = "json-lines"

[[revision]]
namespace = "default"
name = "hello"
service = "hello"
command = [{:?}, "echo"]
max_scale = 1
"#,
        program().display(),
    )
}

/// What instances are started by is this program, so that is what `/proc/self/exe` is there, even once the file has been
/// replaced.
fn program() -> PathBuf {
    let own = || std::env::current_exe().unwrap_or_else(|_| PathBuf::from("activator"));
    if cfg!(target_os = "linux") {
        PathBuf::from("/proc/self/exe")
    } else {
        own()
    }
}
