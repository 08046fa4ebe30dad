//! Targets, without asking what is installed.

use super::Target;

#[track_caller]
fn target(name: &str) -> Target {
    Target::known(name).expect("a known target")
}

#[test]
fn what_it_is_not_built_for_is_an_error_that_says_what_it_is_built_for() {
    let error = |name| format!("{:#}", Target::known(name).err().expect("an error"));
    assert_eq!(
        error("riscv64gc-unknown-linux-gnu"),
        "the program is built for aarch64 and x86_64, not for riscv64gc-unknown-linux-gnu"
    );
    for name in ["x86_64-pc-windows-gnu", "aarch64-apple-darwin", "x86_64"] {
        let expected = format!("the program is built for Linux, with gnu or musl, not for {name}");
        assert_eq!(error(name), expected);
    }
}

#[test]
fn each_has_its_architecture_and_its_compiler() {
    let table = [
        ("x86_64-unknown-linux-gnu", "amd64", true, "cc"),
        ("x86_64-unknown-linux-musl", "amd64", true, "musl-gcc"),
        (
            "aarch64-unknown-linux-gnu",
            "arm64",
            false,
            "aarch64-linux-gnu-gcc",
        ),
        (
            "aarch64-unknown-linux-musl",
            "arm64",
            false,
            "aarch64-linux-musl-gcc",
        ),
        (
            "x86_64-unknown-linux-gnu",
            "amd64",
            false,
            "x86_64-linux-gnu-gcc",
        ),
    ];
    for (name, architecture, own, compiler) in table {
        let target = target(name);
        assert_eq!(target.architecture(), architecture, "{name}");
        assert_eq!(target.compiler(own).0, compiler, "{name}");
        assert_eq!(target.is_musl(), name.ends_with("musl"));
    }
    let package = target("x86_64-unknown-linux-gnu").compiler(false).1;
    assert_eq!(package, " (Debian's gcc-x86-64-linux-gnu)");
}

#[test]
fn cargo_is_told_of_a_linker_for_another_architecture_alone() {
    let mut target = target("aarch64-unknown-linux-gnu");
    assert_eq!(target.linker_variable(), None);
    target.linker = Some("aarch64-linux-gnu-gcc".to_owned());
    let expected = (
        "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER".to_owned(),
        "aarch64-linux-gnu-gcc",
    );
    assert_eq!(target.linker_variable(), Some(expected));
}
