//! The activator as a library. Its modules are layered in floors, from the command line down to the operating system:
//! each imports only from floors below its own, as `tests/floors.rs` checks.

/// What the tests, benchmarks and fuzz targets of this package use.
#[doc(hidden)]
pub mod testing;

/// The command line and its exit codes.
pub mod cli;

/// Puts everything together, starts and stops it.
mod run;

/// The admin port: metrics, health and revisions.
mod admin;
/// The clients: worker threads and their connections, HTTP/1 and HTTP/2.
mod server;
/// Where revisions come from.
mod source;

/// Everything that can be configured, from a file, the environment and flags.
mod config;
/// Starts and stops the instances of revisions on this machine.
mod launcher;
/// One request, from its head to the end of its response.
mod proxy;

/// The revisions that are served, their names and instances.
mod revision;

/// Connections to instances and what is sent over them.
mod upstream;

/// A line for each request, in a file or on standard output.
mod access_log;
/// State of a client connection, for all modules on a request's way.
mod client;
/// Bounds on what peers may take.
mod limits;
/// Finds out which instances are ready.
mod probe;
/// Whether this process is ready for requests.
mod readiness;
/// Certificates and CAs, used as soon as they change, and what TLS negotiates.
mod tls;
/// Which requests are traced, and their spans.
mod traces;

/// How many instances the load of a revision needs.
mod autoscaler;
/// HTTP/2 frames below the h2 crate.
mod frames;
/// Histories of requests: format, recorder, replay.
mod history;
/// HTTP messages: heads, targets, headers, trailers, request bodies.
mod message;
/// The queue in front of a revision's instances.
mod throttle;
/// How long requests may take.
mod timeouts;

/// Pauses between attempts that fail.
mod back_off;
/// The stages of a shutdown.
mod drain;
/// Hosts as they are listed, with wildcards.
mod host;
/// Where log lines go, and how many.
mod logging;

/// Interfaces to the operating system.
mod os;

/// Declares settings, once for the file, flags, environment and docs.
mod settings;
