//! The arguments that say where the configuration and the revisions come from.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::setting_flags::SettingFlags;
use crate::config::{Cluster, Sources};

/// Where Kubernetes mounts the token of a pod's service account.
const TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// Where the configuration comes from. Each setting has a flag as well.
#[derive(Debug, clap::Args)]
pub(super) struct SourceArguments {
    /// The configuration, a TOML file; also ACTIVATOR_CONFIG in the environment
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Serve the revisions of the Kubernetes cluster that this pod belongs to; so it is without this flag in a pod with a
    /// service account and the variable SYSTEM_NAMESPACE, if there is no configuration file
    #[arg(long)]
    kubernetes: bool,
    /// Serve the revisions of a Kubernetes cluster, which is reached as this kubeconfig says: for use outside a pod
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    #[command(flatten)]
    settings: SettingFlags,
}

impl SourceArguments {
    /// These arguments and the environment. `file` takes precedence over `--config`.
    pub(super) fn sources(self, file: Option<PathBuf>) -> Sources {
        let variables: BTreeMap<_, _> = std::env::vars_os().collect();
        let named = || variable(&variables, "ACTIVATOR_CONFIG").map(PathBuf::from);
        let file = file.or(self.config).or_else(named);
        let is_in_pod = || file.is_none() && is_in_pod(&variables, Path::new(TOKEN));
        let cluster = match self.kubeconfig {
            Some(path) => Some(Cluster::Kubeconfig(path)),
            None => (self.kubernetes || is_in_pod()).then_some(Cluster::OwnPod),
        };
        Sources {
            file,
            cluster,
            up: None,
            variables,
            flags: self.settings.0,
        }
    }
}

/// Whether this is a pod of Knative's, with the given token.
fn is_in_pod(variables: &BTreeMap<OsString, OsString>, token: &Path) -> bool {
    variable(variables, "SYSTEM_NAMESPACE").is_some() && token.exists()
}

/// The value of a variable. An empty one counts as unset, like that of every setting.
fn variable<'a>(variables: &'a BTreeMap<OsString, OsString>, name: &str) -> Option<&'a OsString> {
    variables.get(OsStr::new(name)).filter(|it| !it.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_of_knatives_has_a_service_account_and_the_name_of_its_namespace() {
        let check = |namespace: Option<&str>, token: &str, expected| {
            let variable = |value: &str| ("SYSTEM_NAMESPACE".into(), value.into());
            let variables = namespace.map(variable).into_iter().collect();
            assert_eq!(is_in_pod(&variables, Path::new(token)), expected);
        };
        let there = env!("CARGO_MANIFEST_DIR");
        check(Some("knative-serving"), there, true);
        check(Some(""), there, false);
        check(None, there, false);
        check(Some("knative-serving"), "/nowhere/token", false);
    }
}
