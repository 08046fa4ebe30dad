//! The proxy end to end, in this process: real sockets on the loopback interface on both sides.
#![expect(clippy::unwrap_used, reason = "in a test an unwrap is an assertion")]

mod admin;
mod backend;
mod backend_tls;
mod bodies;
mod body_limit;
mod certificates;
mod client;
mod connections;
mod counts;
mod drain;
mod errors;
mod failures;
mod gone;
mod grpc;
mod grpc_peers;
mod harness;
mod headers;
mod http2;
mod http2_peers;
mod https;
mod idle;
mod informational;
mod limits;
mod naming;
mod outside_probes;
mod ports;
mod queue;
mod reload;
mod repeated;
mod revisions;
mod start;
mod timeouts;
mod unready;
mod upgrade;
mod websocket;
