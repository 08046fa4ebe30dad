//! Knative's autoscaler for one revision, as numbers: what was in flight goes in, how many instances are wanted comes
//! out.
//!
//! Pure: the time is an argument. What must not live here: starting and stopping instances (see the launcher), where
//! the stats come from.

mod settings;

pub use settings::ScaleSettings;
