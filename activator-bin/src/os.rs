//! Interfaces to the operating system: listening and handed-over sockets, the limit on open files, files that are read
//! and watched, the service manager, timers.
//!
//! What must not live here: the meaning of the files, and what is served on the sockets.

pub(crate) mod file_retry;
pub(crate) mod file_watch;
pub(crate) mod handover;
pub(crate) mod listen;
pub(crate) mod open_files;
pub(crate) mod regular_file;
pub(crate) mod service_manager;
pub(crate) mod timer;
pub(crate) mod unix_socket;
