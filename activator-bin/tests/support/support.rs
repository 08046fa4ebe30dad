//! Clients and backends on both sides of an activator in this process.

pub(crate) mod activator;
pub(crate) mod backend;
pub(crate) mod config;
pub(crate) mod directory;
#[expect(dead_code, reason = "these tests need no names of frames")]
pub(crate) mod frame;
pub(crate) mod grpc;
pub(crate) mod http1;
pub(crate) mod http2;
pub(crate) mod http2_frames;
pub(crate) mod https;
pub(crate) mod metrics;
pub(crate) mod tls;
pub(crate) mod upgrade;
