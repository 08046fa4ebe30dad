//! What is different for requests to a revision whose instances are started here: some count for nothing, and browsers
//! see a page instead of nothing.

use std::sync::Arc;

use http::{Request, StatusCode};

use super::refusal::Refusal;
use super::{ignored, waiting};
use crate::client::Client;
use crate::revision::ServedRevision;
use crate::revision::launch::{LaunchSpec, WaitingPage};

/// How a request is handled.
pub(super) enum Way {
    /// As all that wait for an instance.
    Ordinary,
    /// As these, but a page is shown instead of a long wait.
    Page(Arc<LaunchSpec>),
    /// It is passed on, but counts for nothing. If no instance is ready, it gets this status.
    Ignored(StatusCode),
    /// This is the response.
    Own(Refusal),
}

impl Way {
    pub(super) fn of<B>(request: &Request<B>, client: &Client, target: &ServedRevision) -> Self {
        let Some(launch) = target.launch() else {
            return Self::Ordinary;
        };
        let has_page = launch.waiting_page != WaitingPage::Off;
        if has_page && waiting::is_for_status(request) {
            return waiting::status(target).map_or(Self::Ordinary, Self::Own);
        }
        let source = || client.address.to_str().ok()?.parse().ok();
        if ignored::is_ignored(&launch.ignore, request, source) {
            let status = StatusCode::from_u16(launch.asleep_status);
            return Self::Ignored(status.unwrap_or(StatusCode::SERVICE_UNAVAILABLE));
        }
        match has_page && waiting::is_navigation(request) {
            true => Self::Page(launch),
            false => Self::Ordinary,
        }
    }
}
