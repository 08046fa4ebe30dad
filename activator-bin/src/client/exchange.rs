//! One request of a connection, from its head to the end of its response and body.

use std::cell::RefCell;
use std::future::pending;
use std::rc::{Rc, Weak};

use tokio::sync::oneshot;

use super::{Client, GivenUp, Phase, Sent};

/// While it lives, its request is being served. The client may have disconnected meanwhile.
pub(crate) struct Exchange {
    client: Weak<Client>,
}

impl Exchange {
    pub(super) fn new(client: &Rc<Client>) -> Self {
        Self {
            client: Rc::downgrade(client),
        }
    }

    /// The final response comes next.
    pub(crate) fn on_response(&self) {
        if let Some(client) = self.client.upgrade() {
            client.informational.end();
            client.output.sent.set(Sent::Begun);
        }
    }

    /// The response is not to be finished, although the client may still read it. Whoever drives the connection has
    /// to be woken. Over HTTP/2 the stream sees to it.
    pub(crate) fn cut(&self) {
        if let Some(client) = self.client.upgrade()
            && !client.is_http2.get()
        {
            client.given_up.set(Some(GivenUp::Cut));
        }
    }

    /// Whether the client has kept the body of the request or the response waiting for too long.
    pub(crate) fn is_late(&self) -> bool {
        let client = self.client.upgrade();
        client.is_some_and(|client| client.is_late())
    }

    /// The response is complete, the request is not. The future is ready when the client's connection breaks off.
    pub(crate) fn on_response_end(&self) -> impl Future<Output = ()> + use<> {
        let (broken, hear) = oneshot::channel();
        if let Some(client) = self.client.upgrade() {
            client.output.sent.set(Sent::All);
            client.late_uploads.add(broken);
        }
        async {
            if hear.await.is_ok() {
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

/// Uploads that go on behind their responses. They hear when this is dropped, unless they are told that the
/// connection has come to its end.
#[derive(Default)]
pub(super) struct LateUploads(RefCell<Vec<oneshot::Sender<()>>>);

impl LateUploads {
    fn add(&self, upload: oneshot::Sender<()>) {
        let mut all = self.0.borrow_mut();
        all.retain(|upload| !upload.is_closed());
        all.push(upload);
    }

    /// The connection has come to its end.
    pub(super) fn on_complete(&self) {
        for upload in self.0.take() {
            let _ = upload.send(());
        }
    }
}
