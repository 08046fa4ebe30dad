//! The activator as a library: what the binary assembles, and what its tests drive in-process.

mod admin;
mod body;
pub mod config;
mod drain;
mod echo;
mod proxy;
pub mod revision;
pub mod run;
mod server;
mod upstream;
