//! Bounds on what the API server may take of this process, in time and memory.
//!
//! The number of objects has none but [`max_pages`](ClusterLimits::max_pages): what is known of a revision takes less
//! than a kilobyte, so the size of the cluster is the bound.

use std::time::Duration;

/// Bounds on what the API server may take of this process. The defaults suit production.
#[derive(Clone, Copy, Debug)]
pub struct ClusterLimits {
    /// How long a watch lasts before it is renewed.
    pub watch: Duration,
    /// How much later a watch that has not ended counts as dead.
    pub grace: Duration,
    /// How long a response may take to begin, and its next bytes to arrive; of a watch only the former.
    pub silence: Duration,
    /// How long a list, one page of it, or one object may take.
    pub page: Duration,
    /// The first pause after a failure.
    pub first_pause: Duration,
    /// The longest pause after many failures.
    pub longest_pause: Duration,
    /// How often it is tried whether EndpointSlices may be read by now.
    pub slices_retry: Duration,
    /// How long changes are collected that follow another one.
    pub window: Duration,
    /// How long the first revisions wait until it is known whether their instances are reached over TLS.
    pub settings: Duration,
    /// The most objects per page, of a list that is read page by page.
    pub page_size: u32,
    /// The most pages of a list.
    pub max_pages: u32,
    /// The most bytes of an object. Kubernetes stores none of more than 1.5 MiB, which JSON may make larger.
    pub max_object: usize,
}

impl Default for ClusterLimits {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            watch: seconds(30),
            grace: seconds(5),
            silence: seconds(15),
            page: seconds(60),
            first_pause: Duration::from_millis(200),
            longest_pause: seconds(10),
            slices_retry: seconds(60),
            window: Duration::from_millis(5),
            settings: seconds(5),
            page_size: 500,
            max_pages: 10_000,
            max_object: 8 << 20,
        }
    }
}
