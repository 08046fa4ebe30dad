//! `activator check` of a cluster: asks it, on a runtime of its own.

use std::time::Duration;

use tokio::runtime;

use crate::config::{Cluster, KubernetesConfig};
use crate::source::ApiAccess;
use crate::source::check::{self, Line};

/// How long a program that fetches credentials may delay the end.
const STOP: Duration = Duration::from_millis(100);

/// Asks a cluster whether an activator could run in it. Blocks, in bounded time.
///
/// # Errors
/// It is not known how the cluster is reached.
pub(crate) fn check_cluster(
    cluster: Cluster,
    config: &KubernetesConfig,
) -> anyhow::Result<Vec<Line>> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let lines = runtime.block_on(async {
        let access = ApiAccess::try_new(cluster, check::limits()).await?;
        anyhow::Ok(check::check(&access, config).await)
    });
    runtime.shutdown_timeout(STOP);
    lines
}
