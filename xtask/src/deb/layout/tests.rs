//! Where files are, and what is in none of them.

use super::super::control::Release;
use crate::archive::{File, Files};
use crate::dist::parts::Parts;

#[test]
fn units_are_where_systemd_looks_and_the_rest_is_documentation() {
    let paths = [
        "CHANGELOG.md",
        "LICENSE",
        "README.md",
        "deploy/kubernetes/service.yaml",
        "deploy/systemd/activator.service",
        "deploy/systemd/activator.socket",
        "deploy/systemd/activator.sysusers",
        "deploy/systemd/launch.conf",
        "docs/metrics.md",
    ];
    let document = |path: &str| (path.to_owned(), File::text(path));
    let parts = Parts::made_up(Files::from(paths.map(document)));
    let release = Release {
        revision: 1,
        architecture: "amd64",
        time: 0,
        maintainer: "A <a@example.org>".to_owned(),
    };
    let files = super::files(&parts, &release).expect("all units are there");
    let found: Vec<_> = files.keys().map(String::as_str).collect();
    let expected = [
        "etc/activator.toml",
        "usr/bin/activator",
        "usr/lib/systemd/system/activator.service",
        "usr/lib/systemd/system/activator.socket",
        "usr/lib/sysusers.d/activator.conf",
        "usr/share/bash-completion/completions/activator",
        "usr/share/doc/activator/README.md",
        "usr/share/doc/activator/THIRD-PARTY-LICENSES.txt.gz",
        "usr/share/doc/activator/activator.cdx.json",
        "usr/share/doc/activator/changelog.Debian.gz",
        "usr/share/doc/activator/changelog.gz",
        "usr/share/doc/activator/copyright",
        "usr/share/doc/activator/deploy/kubernetes/service.yaml",
        "usr/share/doc/activator/deploy/systemd/launch.conf",
        "usr/share/doc/activator/docs/metrics.md",
        "usr/share/fish/vendor_completions.d/activator.fish",
        "usr/share/lintian/overrides/activator",
        "usr/share/man/man1/activator.1.gz",
        "usr/share/zsh/vendor-completions/_activator",
    ];
    assert_eq!(found, expected);
    let socket = &files["usr/lib/systemd/system/activator.socket"];
    assert_eq!(socket.content, b"deploy/systemd/activator.socket");
    assert_eq!(
        (socket.mode, files["usr/bin/activator"].mode),
        (0o644, 0o755)
    );
}
