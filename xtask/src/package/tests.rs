//! Libraries of a scratch project, without dependencies.

use super::check;
use crate::scratch::Scratch;

const WORKSPACE: &str = r#"
[workspace]
resolver = "3"
members = ["lib", "program"]
"#;

const LIBRARY: &str = r#"
[package]
name = "scratch-lib"
version = "1.2.3"
edition = "2024"
rust-version = "1.90"
description = "A library"
license = "Apache-2.0"
documentation = "https://example.com"
readme = "README.md"
keywords = ["scratch"]
categories = ["development-tools"]
"#;

const PROGRAM: &str = r#"
[package]
name = "scratch-program"
version = "1.2.3"
edition = "2024"
publish = false

[dependencies]
scratch-lib = { path = "../lib", version = "1.2.3" }
"#;

const LOCK: &str = r#"
version = 4

[[package]]
name = "scratch-lib"
version = "1.2.3"

[[package]]
name = "scratch-program"
version = "1.2.3"
dependencies = ["scratch-lib"]
"#;

/// A project with a library that can be packed.
fn scratch() -> Scratch {
    let scratch = Scratch::new();
    scratch.write("Cargo.toml", WORKSPACE);
    scratch.write("Cargo.lock", LOCK);
    scratch.write("lib/Cargo.toml", LIBRARY);
    scratch.write("lib/README.md", "# A library\n");
    scratch.write("lib/LICENSE", "Do what you like.\n");
    scratch.write("lib/src/lib.rs", "");
    scratch.write(
        "lib/tests/it.rs",
        "const _: &str = include_str!(\"it.txt\");",
    );
    scratch.write("lib/tests/it.txt", "");
    scratch.write("program/Cargo.toml", PROGRAM);
    scratch.write("program/src/main.rs", "fn main() {}\n");
    scratch
}

#[track_caller]
fn check_fails(scratch: &Scratch, why: &str) {
    let error = check(scratch.root()).unwrap_err();
    assert!(format!("{error:#}").contains(why), "{error:#}");
}

#[test]
fn a_library_that_stands_alone_passes() {
    check(scratch().root()).unwrap();
}

#[test]
fn a_test_that_needs_a_file_outside_of_its_package_fails() {
    let scratch = scratch();
    scratch.write(
        "lib/tests/it.rs",
        "const _: &str = include_str!(\"../../program/Cargo.toml\");",
    );
    check_fails(&scratch, "\"test\"");
}

#[test]
fn a_warning_of_cargo_fails() {
    let scratch = scratch();
    // Cargo leaves the target out, and warns of it.
    scratch.write(
        "lib/Cargo.toml",
        &LIBRARY.replace("readme", "exclude = [\"tests\"]\nreadme"),
    );
    check_fails(&scratch, "ignoring test `it`");
}

#[test]
fn a_manifest_that_says_too_little_fails() {
    let scratch = scratch();
    let silent = LIBRARY.replace("keywords = [\"scratch\"]", "keywords = []");
    scratch.write(
        "lib/Cargo.toml",
        &silent.replace("rust-version = \"1.90\"", ""),
    );
    check_fails(
        &scratch,
        "the manifest of scratch-lib does not say: keywords, rust_version",
    );
}

#[test]
fn a_library_without_its_licence_fails() {
    let scratch = scratch();
    std::fs::remove_file(scratch.root().join("lib/LICENSE")).unwrap();
    check_fails(&scratch, "scratch-lib is packed without its LICENSE");
}

#[test]
fn a_workspace_without_libraries_fails() {
    let scratch = scratch();
    scratch.write("lib/Cargo.toml", &format!("{LIBRARY}publish = false\n"));
    check_fails(&scratch, "no member may be published");
}
