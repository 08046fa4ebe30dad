//! The program `activator`.

use std::process::ExitCode;

/// Returns memory used under load within seconds; the system's allocator keeps it.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    activator_bin::cli::main()
}
