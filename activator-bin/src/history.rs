//! Request histories: their format, recording and replay.

mod input;
mod line;
mod output;
mod record;
mod replay;

pub use line::LINE_LIMIT;
pub use record::record;
pub use replay::{ReplayError, Summary, replay};
