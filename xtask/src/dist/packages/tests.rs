//! What `cargo tree`, `cargo metadata` and Cargo.lock say together.

use super::Packages;

const TREE: &str = "\
0program v0.1.0 (/clone/program)
1a v1.0.0
2b v2.0.0+spec-1.1
1c v3.0.0
2b v2.0.0+spec-1.1
2a v1.0.0 (*)
";

const METADATA: &str = r#"{"packages": [
    {"name": "a", "version": "1.0.0", "license": "MIT/Apache-2.0", "manifest_path": "/registry/a-1.0.0/Cargo.toml", "repository": "https://example.org/a"},
    {"name": "a", "version": "0.9.0", "license": "MIT", "manifest_path": "/registry/a-0.9.0/Cargo.toml", "repository": null},
    {"name": "b", "version": "2.0.0+spec-1.1", "license": "ISC", "manifest_path": "/registry/b/Cargo.toml", "repository": null},
    {"name": "c", "version": "3.0.0", "license": "Apache-2.0", "manifest_path": "/clone/c/Cargo.toml", "repository": null},
    {"name": "program", "version": "0.1.0", "license": "Apache-2.0", "manifest_path": "/clone/program/Cargo.toml", "repository": null}
]}"#;

const LOCK: &str = r#"
version = 4
[[package]]
name = "a"
version = "0.9.0"
source = "registry+https://github.com/rust-lang/crates.io-index"
checksum = "09"
[[package]]
name = "a"
version = "1.0.0"
source = "registry+https://github.com/rust-lang/crates.io-index"
checksum = "aa"
[[package]]
name = "b"
version = "2.0.0+spec-1.1"
source = "registry+https://github.com/rust-lang/crates.io-index"
checksum = "bb"
[[package]]
name = "c"
version = "3.0.0"
[[package]]
name = "program"
version = "0.1.0"
"#;

#[test]
fn each_package_of_the_tree_is_there_once_with_what_it_needs() {
    let packages = Packages::join(TREE, METADATA, LOCK).expect("all are described");
    assert_eq!(packages.program.0, "program");
    let mut found = String::new();
    for ((name, version), package) in &packages.all {
        let needs: Vec<_> = package
            .dependencies
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        let checksum = package.checksum.as_deref().unwrap_or("own");
        found += &format!(
            "{name} {version} {checksum} {} <- {}\n",
            package.license,
            needs.join(" ")
        );
    }
    let expected = "\
a 1.0.0 aa MIT OR Apache-2.0 <- b
b 2.0.0+spec-1.1 bb ISC <- \n\
c 3.0.0 own Apache-2.0 <- a b
program 0.1.0 own Apache-2.0 <- a c
";
    assert_eq!(found, expected);
}

/// What is wrong with the inputs after one replacement.
#[track_caller]
fn wrong(from: &str, to: &str) -> String {
    let replace = |text: &str| text.replace(from, to);
    let joined = Packages::join(&replace(TREE), &replace(METADATA), &replace(LOCK));
    format!("{:#}", joined.err().expect("an error"))
}

#[test]
fn what_cannot_be_said_of_a_package_is_an_error_with_its_name() {
    let unknown = wrong("1c v3.0.0", "1c v4.0.0");
    assert_eq!(unknown, "c 4.0.0 is not in cargo metadata");
    let unlicensed = wrong(r#""license": "ISC""#, r#""license": null"#);
    assert_eq!(
        unlicensed,
        "b 2.0.0+spec-1.1: no `license` in its Cargo.toml"
    );
    let license = wrong("\"ISC\"", "\"mine\"");
    assert!(
        license.starts_with("b 2.0.0+spec-1.1: license \"mine\""),
        "{license}"
    );
    let source = wrong(
        "registry+https://github.com/rust-lang/crates.io-index\"\nchecksum = \"bb\"",
        "git+https://example.org/b\"",
    );
    assert!(
        source.starts_with("b 2.0.0+spec-1.1: it is from git+"),
        "{source}"
    );
    let unlocked = wrong("checksum = \"aa\"", "");
    assert_eq!(unlocked, "a 1.0.0: no checksum in Cargo.lock");
}

#[test]
fn what_is_not_a_tree_is_an_error() {
    for (from, to) in [
        ("0program", "9program"),
        ("1a v1.0.0", "1a 1.0.0"),
        ("1c v", "0c v"),
    ] {
        let error = wrong(from, to);
        assert!(error.contains("cargo tree"), "{error}");
    }
}
