//! The text that `/metrics` serves, as its readers see it.

mod events;
mod exposition;
mod gauges;
mod legacy;
mod lister;
mod requests;
mod served;
mod text;
