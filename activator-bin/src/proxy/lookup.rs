//! Which revision a request is for, and what becomes of it when that is not known.

use std::rc::Rc;
use std::sync::Arc;

use http::Request;
use reporter_core::RevisionKey;
use reporter_metrics::{ErrorReason, QueueLimit};

use super::Proxy;
use super::refusal::Refusal;
use crate::client::Client;
use crate::message::request_body::RequestBody;
use crate::revision::ServedRevision;
use crate::revision::name::{Naming, NotFound};
use crate::throttle::{QueueBound, ThrottleError};

impl Proxy {
    /// The revision of a request, if it is known.
    pub(super) fn find(&self, request: &Request<RequestBody>) -> Option<Arc<ServedRevision>> {
        self.services.revisions.find(&self.naming(request))
    }

    /// The revision of a request that was not known just now. While a cluster is listed for the first time, the
    /// request waits for it; its body is not read meanwhile.
    ///
    /// Cancellation leaves the queue.
    pub(super) async fn find_later(
        &self,
        request: &Request<RequestBody>,
        client: &Rc<Client>,
    ) -> Result<Arc<ServedRevision>, Refusal> {
        let lists = self.services.readiness.first_lists.as_ref();
        let Some(lists) = lists.filter(|lists| !lists.are_complete()) else {
            // They may have been completed since.
            return self.find(request).ok_or_else(|| self.unknown(request));
        };
        let Some(key) = self.key(request) else {
            return Err(self.unknown(request));
        };
        let revisions = &self.services.revisions;
        let Some(wait) = revisions.wait_for(key) else {
            self.services.queue.rejected(QueueLimit::Total);
            let full = ThrottleError::QueueFull(QueueBound::MaxQueuedRequests);
            return Err(Refusal::new(ErrorReason::QueueFull, full));
        };
        tokio::select! {
            biased;
            () = wait.added(|key| revisions.config(key).is_some()) => {}
            are_complete = lists.completed() => if !are_complete {
                let why = "the revisions of the cluster are not known yet";
                return Err(Refusal::new(ErrorReason::NotListed, why));
            },
            () = client.late() => {
                let why = "the rest of the request body did not arrive in time";
                return Err(Refusal::new(ErrorReason::ClientTimeout, why));
            }
        }
        self.find(request).ok_or_else(|| self.unknown(request))
    }

    /// The key that a request names, if it can be one.
    fn key(&self, request: &Request<RequestBody>) -> Option<RevisionKey> {
        let naming = self.naming(request);
        let name = naming.name();
        RevisionKey::try_new(name.namespace, name.name).ok()
    }

    fn unknown(&self, request: &Request<RequestBody>) -> Refusal {
        let naming = self.naming(request);
        Refusal::new(ErrorReason::RevisionUnknown, NotFound(&naming))
    }

    fn naming<'a>(&'a self, request: &'a Request<RequestBody>) -> Naming<'a> {
        let rules = &self.services.naming;
        Naming::of(request.uri(), request.headers(), rules)
    }
}
