//! The running sink: dispatches go to the outbox, and from there over one link after another.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use reporter_core::Outbox;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

use super::backoff::Backoff;
use super::connect::Connector;
use super::first_reports::{Cut, FirstReports};
use super::link::{Link, LinkEvent};
use super::{AutoscalerConfig, AutoscalerSink, LinkFailure, LinkObserver, wire};
use crate::sink::Undelivered;
use crate::{Clock, Dispatch};

/// How long a peer that has confirmed everything may take to close the link.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// What the sink's task owns.
pub(super) struct Delivery {
    name: String,
    pod_name: Arc<str>,
    config: AutoscalerConfig,
    connector: Arc<Connector>,
    clock: Box<dyn Clock>,
    observer: Box<dyn LinkObserver>,
    up: watch::Sender<bool>,
    mailbox: mpsc::Receiver<Arc<Dispatch>>,
    /// When to give up; set once the mailbox has ended.
    flush_by: Option<Instant>,
    outbox: Outbox,
    first_reports: FirstReports,
    /// First requests in the frame that is being written.
    leaving: Cut,
    backoff: Backoff,
    /// Since when the link is up.
    up_since: Option<Instant>,
    /// An outage is logged once, however many attempts it takes.
    outage_logged: bool,
}

impl Delivery {
    pub(super) fn new(sink: AutoscalerSink, mailbox: mpsc::Receiver<Arc<Dispatch>>) -> Self {
        Self {
            name: sink.name,
            pod_name: sink.pod_name,
            backoff: Backoff::new(&sink.config),
            config: sink.config,
            connector: Arc::new(sink.connector),
            clock: sink.clock,
            observer: sink.observer,
            up: sink.up,
            mailbox,
            flush_by: None,
            outbox: Outbox::new(),
            first_reports: FirstReports::default(),
            leaving: Cut::new(),
            up_since: None,
            outage_logged: false,
        }
    }

    pub(super) async fn run(mut self) -> Result<(), Undelivered> {
        while let Some(link) = self.connect().await {
            match self.serve(link).await {
                Ok(()) => break,
                Err(why) => {
                    let wait = self.on_failure(&why);
                    if self.meanwhile(sleep(wait)).await.is_none() {
                        break;
                    }
                }
            }
        }
        if self.up_since.is_some() {
            self.observer.link_closed();
            self.up.send_replace(false);
            tracing::info!(sink = self.name, "the link is closed");
        }
        match self.outbox.unconfirmed_requests() {
            0 => Ok(()),
            requests => {
                tracing::error!(
                    sink = self.name,
                    requests,
                    "gave up: the autoscaler did not confirm the counts of these requests in time"
                );
                Err(Undelivered { requests })
            }
        }
    }

    /// Tries until there is a link; `None` when it is no longer needed.
    async fn connect(&mut self) -> Option<Link> {
        loop {
            let connector = Arc::clone(&self.connector);
            let wait = match self.meanwhile(connector.connect()).await? {
                Ok(socket) => return Some(Link::new(socket, &self.config)),
                Err(why) => self.on_failure(&why),
            };
            self.meanwhile(sleep(wait)).await?;
        }
    }

    /// Does `work` while dispatches go to the outbox; `None` when nothing is left to deliver, or no time.
    async fn meanwhile<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        while !self.is_done() {
            tokio::select! {
                done = &mut work => return Some(done),
                mail = self.mailbox.recv(), if self.flush_by.is_none() => self.on_mail(mail),
                () = until(self.flush_by) => break,
            }
        }
        None
    }

    /// Uses the link until it breaks, or until nothing is left to deliver, or no time.
    async fn serve(&mut self, mut link: Link) -> Result<(), LinkFailure> {
        // The link counts as up from its pong on.
        link.keep_alive()?;
        loop {
            if link.is_ready() {
                self.send_next(&mut link)?;
            }
            if let Some(flush_by) = self.flush_by
                && self.is_done()
            {
                link.close(flush_by.min(Instant::now() + CLOSE_TIMEOUT))
                    .await;
                return Ok(());
            }
            let deadline = link.deadline();
            tokio::select! {
                event = link.event() => self.on_event(event?),
                mail = self.mailbox.recv(), if self.flush_by.is_none() => self.on_mail(mail),
                () = sleep_until(deadline) => link.on_time()?,
                () = until(self.flush_by) => return Ok(()),
            }
        }
    }

    fn send_next(&mut self, link: &mut Link) -> Result<(), LinkFailure> {
        if self.outbox.unconfirmed_frames() >= self.config.max_unconfirmed_frames {
            return Ok(());
        }
        let Some(frame) = self.outbox.next_frame(self.config.max_frame_messages) else {
            return Ok(());
        };
        self.observer.pending_keys(self.outbox.waiting_keys());
        self.leaving = self.first_reports.cut(&frame.messages);
        let payload = wire::encode(&self.pod_name, &frame.messages);
        link.send(frame.sequence, payload)
    }

    fn on_event(&mut self, event: LinkEvent) {
        match event {
            LinkEvent::Flushed => {
                for (_, at) in self.leaving.drain(..) {
                    let nanos = self.clock.now().nanos_since(at);
                    self.observer.first_report(Duration::from_nanos(nanos));
                }
            }
            LinkEvent::Pong(sequence, frames) => {
                self.outbox.confirmed(sequence);
                for (sequence, latency) in frames {
                    self.observer.frame_confirmed(sequence, latency);
                }
                if self.up_since.is_none() {
                    self.on_up();
                }
            }
        }
    }

    /// `mail` is `None` once the reporter has stopped.
    fn on_mail(&mut self, mail: Option<Arc<Dispatch>>) {
        match mail {
            Some(dispatch) => {
                self.outbox.push(&dispatch.batch);
                self.first_reports.on_batch(&dispatch.batch, dispatch.at);
                self.observer.pending_keys(self.outbox.waiting_keys());
            }
            None => self.flush_by = Some(Instant::now() + self.config.flush_timeout * 9 / 10),
        }
    }

    fn on_up(&mut self) {
        self.up_since = Some(Instant::now());
        self.outage_logged = false;
        self.observer.link_up();
        self.up.send_replace(true);
        tracing::info!(sink = self.name, url = self.config.url, "the link is up");
    }

    /// The link broke or could not be made; returns the wait before the next attempt.
    fn on_failure(&mut self, why: &LinkFailure) -> Duration {
        let frames = self.outbox.link_lost();
        if frames > 0 {
            self.observer.frames_requeued(frames);
            self.observer.pending_keys(self.outbox.waiting_keys());
        }
        self.first_reports
            .put_back(std::mem::take(&mut self.leaving));
        match self.up_since.take() {
            Some(since) => {
                self.observer.link_down(why);
                self.up.send_replace(false);
                self.backoff.on_link_lasted(since.elapsed());
            }
            None => self.observer.connect_failed(why),
        }
        if !std::mem::replace(&mut self.outage_logged, true) {
            tracing::warn!(
                sink = self.name,
                url = self.config.url,
                reason = %why,
                "the link is down, reports wait until it is up again"
            );
        }
        let at_once = why.is_restart() && self.backoff.is_fresh();
        let wait = self.backoff.next(rand::random());
        if at_once { Duration::ZERO } else { wait }
    }

    fn is_done(&self) -> bool {
        self.flush_by.is_some() && self.outbox.is_empty()
    }
}

/// Waits for ever without a deadline.
async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
