//! Where the project's version stands: in manifests, in the lock file, and in documents and manifests of deployments.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

/// The version of the workspace whose manifest this is.
pub(super) fn workspace_version(manifest: &str) -> Result<String, String> {
    let manifest = parse(manifest)?;
    let version = ["workspace", "package", "version"]
        .into_iter()
        .try_fold(&DeValue::Table(manifest), |value, key| {
            Some(value.get(key)?.get_ref())
        })
        .and_then(DeValue::as_str)
        .map(str::to_owned);
    version.ok_or_else(|| "no version in [workspace.package]".to_owned())
}

/// The text of a file with `new` in the place of `old`, the project's version, and the number of places.
pub(super) fn replace(
    path: &str,
    text: &str,
    old: &str,
    new: &str,
) -> Result<(String, usize), String> {
    let mut places = match path.rsplit('/').next() {
        Some("Cargo.toml") => in_manifest(text, old)?,
        Some("Cargo.lock") => in_lock(text, old)?,
        _ => in_document(text, old),
    };
    places.sort_by_key(|place| place.start);
    let mut replaced = text.to_owned();
    for place in places.iter().rev() {
        replaced.replace_range(place.clone(), new);
    }
    Ok((replaced, places.len()))
}

/// The version of a package or of all of them, and those of dependencies in this repository.
fn in_manifest(text: &str, old: &str) -> Result<Vec<Range<usize>>, String> {
    let manifest = parse(text)?;
    let mut places = Vec::new();
    let own = [
        manifest.get("package"),
        manifest
            .get("workspace")
            .and_then(|workspace| workspace.get_ref().get("package")),
    ];
    for package in own.into_iter().flatten() {
        places.extend(version(package.get_ref(), old));
    }
    in_dependencies(&manifest, old, &mut places);
    Ok(places)
}

/// In the tables of dependencies at any depth: of the workspace, of a platform.
fn in_dependencies(table: &DeTable<'_>, old: &str, places: &mut Vec<Range<usize>>) {
    for (name, value) in table {
        let Some(table) = value.get_ref().as_table() else {
            continue;
        };
        if name.get_ref().ends_with("dependencies") {
            let of_this_repository = table
                .values()
                .filter(|value| value.get_ref().get("path").is_some());
            places.extend(of_this_repository.filter_map(|value| version(value.get_ref(), old)));
        } else {
            in_dependencies(table, old, places);
        }
    }
}

fn in_lock(text: &str, old: &str) -> Result<Vec<Range<usize>>, String> {
    let lock = parse(text)?;
    let packages = lock
        .get("package")
        .and_then(|packages| packages.get_ref().as_array());
    let packages = packages.into_iter().flatten();
    // All others come from somewhere.
    let own = packages.filter(|package| package.get_ref().get("source").is_none());
    Ok(own
        .filter_map(|package| version(package.get_ref(), old))
        .collect())
}

/// Where `version` is `old` in this table, without the quotes.
fn version(table: &DeValue<'_>, old: &str) -> Option<Range<usize>> {
    let version = table.get("version")?;
    let span = version.span();
    (version.get_ref().as_str() == Some(old)).then(|| span.start + 1..span.end - 1)
}

/// After the program's name, in names of files and images, and in Kubernetes's label.
fn in_document(text: &str, old: &str) -> Vec<Range<usize>> {
    const BEFORE: [&str; 4] = [
        "activator-",
        "activator:",
        "activator_",
        "app.kubernetes.io/version: ",
    ];
    let found = text.match_indices(old).filter(|&(start, _)| {
        let after = &text.as_bytes()[start + old.len()..];
        let goes_on = matches!(after, [b'0'..=b'9', ..] | [b'.', b'0'..=b'9', ..]);
        !goes_on && BEFORE.iter().any(|before| text[..start].ends_with(before))
    });
    found.map(|(start, _)| start..start + old.len()).collect()
}

fn parse(text: &str) -> Result<DeTable<'_>, String> {
    let parsed = DeTable::parse(text).map_err(|error| error.to_string())?;
    Ok(parsed.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All places of 1.2.3 become `<NEW>`.
    #[track_caller]
    fn check(path: &str, text: &str, expected: &str) {
        let (replaced, places) = replace(path, text, "1.2.3", "<NEW>").unwrap();
        assert_eq!(replaced, expected);
        assert_eq!(places, expected.matches("<NEW>").count());
    }

    #[test]
    fn manifests_name_it_for_packages_and_for_dependencies_with_a_path() {
        check(
            "Cargo.toml",
            r#"# version = "1.2.3"
[workspace.package]
version = "1.2.3" # of all
[workspace.dependencies]
core = { path = "core", version = "1.2.3" }
other = { version = "1.2.3" }
also = "1.2.3"
[workspace.dependencies.runtime]
version = '1.2.3'
path = "runtime"
"#,
            r#"# version = "1.2.3"
[workspace.package]
version = "<NEW>" # of all
[workspace.dependencies]
core = { path = "core", version = "<NEW>" }
other = { version = "1.2.3" }
also = "1.2.3"
[workspace.dependencies.runtime]
version = '<NEW>'
path = "runtime"
"#,
        );
        check(
            "fuzz/Cargo.toml",
            r#"[package]
version = "0.0.0"
[dependencies]
core = { version = "1.2.3", path = "../core" }
[target.'cfg(unix)'.dev-dependencies]
core = { version = "1.2.3", path = "../core" }
[package.metadata.x]
version = "1.2.3"
"#,
            r#"[package]
version = "0.0.0"
[dependencies]
core = { version = "<NEW>", path = "../core" }
[target.'cfg(unix)'.dev-dependencies]
core = { version = "<NEW>", path = "../core" }
[package.metadata.x]
version = "1.2.3"
"#,
        );
    }

    #[test]
    fn the_lock_file_names_it_for_packages_without_a_source() {
        check(
            "Cargo.lock",
            r#"version = 4
[[package]]
name = "core"
version = "1.2.3"
[[package]]
name = "other"
version = "1.2.3"
source = "registry+somewhere"
[[package]]
name = "another"
version = "0.1.0"
"#,
            r#"version = 4
[[package]]
name = "core"
version = "<NEW>"
[[package]]
name = "other"
version = "1.2.3"
source = "registry+somewhere"
[[package]]
name = "another"
version = "0.1.0"
"#,
        );
    }

    #[test]
    fn documents_name_it_after_the_program() {
        check(
            "docs/page.md",
            "activator:1.2.3, x/activator-1.2.3.oci.tar, activator_1.2.3-1_amd64.deb\napp.kubernetes.io/version: 1.2.3",
            "activator:<NEW>, x/activator-<NEW>.oci.tar, activator_<NEW>-1_amd64.deb\napp.kubernetes.io/version: <NEW>",
        );
        let others = "activator:1.2.34 activator-1.2.3.4 prometheus:1.2.3 1.2.3";
        check("deploy/x.yaml", others, others);
    }

    #[test]
    fn what_is_no_manifest_is_refused() {
        assert!(replace("Cargo.toml", "version = ", "1.2.3", "1.2.4").is_err());
        assert!(workspace_version("[package]\nversion = \"1.2.3\"").is_err());
        assert_eq!(
            workspace_version("[workspace.package]\nversion = \"1.2.3\""),
            Ok("1.2.3".to_owned())
        );
    }
}
