//! What reporter-core may depend on, and that it builds without std.

use anyhow::Result;

pub(crate) fn run() -> Result<()> {
    Ok(())
}
