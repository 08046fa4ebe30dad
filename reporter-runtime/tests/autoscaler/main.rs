//! The `autoscaler` sink against peers on loopback, good ones and bad ones.
#![expect(clippy::unwrap_used, reason = "a step that fails fails its test")]

mod bad_peers;
mod config;
mod delivery;
mod peer;
mod rig;
mod shutdown;
mod stalled_peers;
mod tls;
mod wire;
