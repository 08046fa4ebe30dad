//! Long response bodies, each rendered once for all concurrent requests, with few of them in memory.
//!
//! A request gets a text whose rendering began after the request arrived, so it shows the client's own changes.

use std::mem;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};

use super::connections::{Connection, Connections};
use super::text::Text;

/// The most texts kept in memory for their readers, besides one that is being rendered.
const MAX_TEXTS: usize = 3;

/// How often to check whether one of them is no longer read.
const LOOK: Duration = Duration::from_millis(50);

/// Renders a text.
pub(crate) type Make = Arc<dyn Fn() -> String + Send + Sync>;

/// The texts of one kind.
pub(super) struct Texts {
    make: Make,
    connections: Arc<Connections>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    is_making: bool,
    /// Requests that wait for the next text.
    waiting: Waiting,
    /// Texts that are being read, the oldest first.
    read: Vec<Weak<Text>>,
}

type Waiting = watch::Sender<Option<Arc<Text>>>;

/// A text as a response body.
struct Sent(Arc<Text>);

impl AsRef<[u8]> for Sent {
    fn as_ref(&self) -> &[u8] {
        self.0.bytes.as_bytes()
    }
}

impl Texts {
    pub(super) fn new(make: Make, connections: &Arc<Connections>) -> Arc<Self> {
        Arc::new(Self {
            make,
            connections: Arc::clone(connections),
            state: Mutex::default(),
        })
    }

    /// Renders the text as of now, for `connection`.
    ///
    /// May wait for two renderings, and for readers of an earlier text. Cancel-safe.
    ///
    /// # Errors
    /// 503 if too many requests wait already, 500 if rendering failed.
    pub(super) async fn next(
        self: &Arc<Self>,
        connection: &Connection,
    ) -> Result<Bytes, StatusCode> {
        let serving = self.connections.serving(connection);
        let _serving = serving.ok_or(StatusCode::SERVICE_UNAVAILABLE)?;
        let mut text = {
            let mut state = self.state.lock();
            if !mem::replace(&mut state.is_making, true) {
                tokio::spawn(Arc::clone(self).make());
            }
            state.waiting.subscribe()
        };
        let text = match text.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(text)) => Arc::clone(text),
            _ => return Err(StatusCode::INTERNAL_SERVER_ERROR),
        };
        connection.on_text(&text);
        Ok(Bytes::from_owner(Sent(text)))
    }

    /// Renders one text after the other while requests wait.
    async fn make(self: Arc<Self>) {
        loop {
            self.room().await;
            let waiting = {
                let mut state = self.state.lock();
                state.is_making = state.waiting.receiver_count() > 0;
                if !state.is_making {
                    return;
                }
                mem::take(&mut state.waiting)
            };
            let make = Arc::clone(&self.make);
            // After a panic the waiting requests get an error.
            if let Ok(bytes) = spawn_blocking(move || make()).await {
                let made = Instant::now();
                let text = Arc::new(Text { bytes, made });
                self.state.lock().read.push(Arc::downgrade(&text));
                waiting.send_replace(Some(text));
            }
        }
    }

    /// Waits until there is room for one more text. Readers that stall in the oldest one are disconnected.
    async fn room(&self) {
        while let Some(oldest) = self.beyond() {
            self.connections.end_readers(&oldest);
            drop(oldest);
            sleep(LOOK).await;
        }
    }

    /// The oldest text, if there is no room for one more.
    fn beyond(&self) -> Option<Arc<Text>> {
        let read = &mut self.state.lock().read;
        read.retain(|text| text.strong_count() > 0);
        if read.len() < MAX_TEXTS {
            return None;
        }
        read.first()?.upgrade()
    }
}
