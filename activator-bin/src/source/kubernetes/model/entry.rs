//! What is kept for a revision.

use std::sync::Arc;

use reporter_core::RevisionKey;

use super::activators::Activators;
use super::pods::Pods;
use crate::probe::Share;
use crate::revision::RevisionSpec;

/// What is kept for a revision. There may be slices before there is a revision.
#[derive(Debug, Default)]
pub(super) struct Entry {
    /// As its object is now, with the instances and the share of the last report.
    pub(super) spec: Option<Arc<RevisionSpec>>,
    /// The last report.
    pub(super) reported: Option<Arc<RevisionSpec>>,
    /// Whether it is among those that may have to be reported.
    pub(super) is_touched: bool,
    /// The last list that it was in.
    pub(super) list: u32,
    pub(super) slices: Vec<Slice>,
}

/// What is kept of an EndpointSlice, or of a part of Endpoints.
#[derive(Debug)]
pub(super) struct Slice {
    /// Namespace and name.
    pub(super) name: Arc<str>,
    /// The greater the newer.
    pub(super) version: u64,
    /// The last list that it was in.
    pub(super) list: u32,
    pub(super) content: Content,
}

#[derive(Debug)]
pub(super) enum Content {
    Pods(Pods),
    Activators(Arc<Activators>),
}

impl Entry {
    /// Notes that it may have to be reported.
    pub(super) fn touch(&mut self, key: &RevisionKey, touched: &mut Vec<RevisionKey>) {
        if !self.is_touched {
            self.is_touched = true;
            touched.push(key.clone());
        }
    }

    /// The share of the last report.
    pub(super) fn share(&self) -> Option<Share> {
        self.spec.as_ref()?.cluster.as_ref()?.share
    }

    pub(super) fn pods(&self) -> impl Iterator<Item = (&Slice, &Pods)> {
        self.slices.iter().filter_map(|slice| match &slice.content {
            Content::Pods(pods) => Some((slice, pods)),
            Content::Activators(_) => None,
        })
    }

    pub(super) fn activators(&self) -> impl Iterator<Item = &Activators> + Clone {
        self.slices.iter().filter_map(|slice| match &slice.content {
            Content::Activators(activators) => Some(&**activators),
            Content::Pods(_) => None,
        })
    }
}
