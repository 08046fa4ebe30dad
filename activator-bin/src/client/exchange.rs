//! One request of a connection, from its head to the end of its response and body.

use std::cell::RefCell;
use std::future::pending;
use std::rc::{Rc, Weak};

use tokio::sync::oneshot;

use super::{Client, GivenUp, Phase, Sent};

/// While it lives, its request is being served. The client may have disconnected.
pub(crate) struct Exchange {
    client: Weak<Client>,
}

impl Exchange {
    pub(super) fn new(client: &Rc<Client>) -> Self {
        Self {
            client: Rc::downgrade(client),
        }
    }

    /// The final response begins.
    pub(crate) fn on_response(&self) {
        if let Some(client) = self.client.upgrade() {
            client.informational.end();
            client.output.sent.set(Sent::Begun);
        }
    }

    /// Cuts the response short, although the client may still read it. The caller must wake the connection's task. Over
    /// HTTP/2 the stream handles this.
    pub(crate) fn cut(&self) {
        if let Some(client) = self.client.upgrade()
            && !client.is_http2.get()
        {
            client.given_up.set(Some(GivenUp::Cut));
        }
    }

    /// Whether the client has stalled for too long in the body of the request or response.
    pub(crate) fn is_late(&self) -> bool {
        let client = self.client.upgrade();
        client.is_some_and(|client| client.is_late())
    }

    /// The response is complete, the request is not. The future is ready when the client's connection breaks.
    pub(crate) fn on_response_end(&self) -> impl Future<Output = ()> + use<> {
        let (broken, on_end) = oneshot::channel();
        if let Some(client) = self.client.upgrade() {
            client.output.sent.set(Sent::All);
            client.late_uploads.add(broken);
        }
        async {
            if on_end.await.is_ok() {
                pending::<()>().await;
            }
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if let Some(client) = self.client.upgrade() {
            let requests = client.requests.get() - 1;
            client.requests.set(requests);
            if requests == 0 {
                client.set_phase(Phase::Idle);
            }
        }
    }
}

/// Uploads that continue after their responses. Dropping this tells them that the connection broke, unless
/// [`on_complete`](Self::on_complete) was called.
#[derive(Default)]
pub(super) struct LateUploads(RefCell<Vec<oneshot::Sender<()>>>);

impl LateUploads {
    fn add(&self, upload: oneshot::Sender<()>) {
        let mut all = self.0.borrow_mut();
        all.retain(|upload| !upload.is_closed());
        all.push(upload);
    }

    /// The connection ended in an orderly way.
    pub(super) fn on_complete(&self) {
        for upload in self.0.take() {
            let _ = upload.send(());
        }
    }
}
