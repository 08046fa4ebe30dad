//! A list of what is linked into the program (SBOM), as CycloneDX 1.6 in JSON: <https://cyclonedx.org/docs/1.6/json/>.

use serde_json::{Value, json};

use super::packages::{Id, Package, Packages};
use super::toolchain::Component;
use crate::program::VERSION;

/// The list for a program with this SHA-256. `time` is in seconds since 1970.
pub(super) fn json(
    packages: &Packages,
    components: &[Component],
    sha256: &str,
    time: humantime::Rfc3339Timestamp,
) -> Value {
    let all = packages.all.iter();
    let mut program = Value::Null;
    let mut listed = Vec::new();
    let mut dependencies = Vec::new();
    for (id, package) in all {
        let needs: Vec<_> = package.dependencies.iter().map(purl).collect();
        if *id == packages.program {
            let toolchain = components.iter().map(|component| component.purl.clone());
            let needs: Vec<_> = needs.into_iter().chain(toolchain).collect();
            dependencies.push(json!({"ref": purl(id), "dependsOn": needs}));
            program = self::package(id, package, "application");
            program["hashes"] = hashes(sha256);
        } else {
            dependencies.push(json!({"ref": purl(id), "dependsOn": needs}));
            listed.push(self::package(id, package, "library"));
        }
    }
    for component in components {
        listed.push(toolchain(component));
        dependencies.push(json!({"ref": component.purl, "dependsOn": []}));
    }
    json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": time.to_string(),
            "lifecycles": [{"phase": "build"}],
            "tools": {"components": [
                {"type": "application", "name": "cargo xtask dist", "version": VERSION},
            ]},
            "component": program,
        },
        "components": listed,
        "dependencies": dependencies,
    })
}

fn package(id: &Id, package: &Package, kind: &str) -> Value {
    let (name, version) = id;
    let purl = purl(id);
    let mut component = json!({
        "type": kind,
        "bom-ref": purl,
        "name": name,
        "version": version,
        "licenses": [{"expression": package.license}],
        "purl": purl,
    });
    if let Some(checksum) = &package.checksum {
        component["hashes"] = hashes(checksum);
    }
    if let Some(repository) = &package.repository {
        component["externalReferences"] = json!([{"type": "vcs", "url": repository}]);
    }
    component
}

fn toolchain(component: &Component) -> Value {
    let mut listed = json!({
        "type": "library",
        "bom-ref": component.purl,
        "name": component.name,
        "licenses": [{"expression": component.license}],
        "purl": component.purl,
        "externalReferences": [{"type": "website", "url": component.place}],
    });
    if let Some(version) = &component.version {
        listed["version"] = json!(version);
    }
    listed
}

fn hashes(sha256: &str) -> Value {
    json!([{"alg": "SHA-256", "content": sha256}])
}

/// A package's URL: <https://github.com/package-url/purl-spec>. What Cargo allows in versions is plain in it, but for `+`.
fn purl((name, version): &Id) -> String {
    format!("pkg:cargo/{name}@{}", version.replace('+', "%2B"))
}

#[cfg(test)]
mod tests;
