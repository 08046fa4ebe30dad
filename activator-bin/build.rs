//! Tells the program what it is built for and by. The same for the same commit, wherever it is checked out.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let compiler = Command::new(variable("RUSTC")).arg("--version").output();
    let compiler = compiler.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let compiler = compiler.unwrap_or_default();
    println!(
        "cargo::rustc-env=ACTIVATOR_BUILD_TARGET={}",
        variable("TARGET")
    );
    println!("cargo::rustc-env=ACTIVATOR_BUILD_RUSTC={}", compiler.trim());
    println!(
        "cargo::rustc-env=ACTIVATOR_BUILD_FEATURES={}",
        variable("CARGO_CFG_FEATURE")
    );
}
