//! What is asked of the operating system: sockets that listen, sockets handed over, open files, files that
//! are read and followed, the service manager.
//!
//! What must not live here: what the files mean, and who is served at the sockets.

pub(crate) mod file_retry;
pub(crate) mod file_watch;
pub(crate) mod handover;
pub(crate) mod listen;
pub(crate) mod open_files;
pub(crate) mod regular_file;
pub(crate) mod service_manager;
