//! Not a test of its own: `purity` compiles this against the core as a crate that has no `std`.
//!
//! A program has one panic handler. This crate has it, so it does not compile if anything in the core's
//! dependency tree brings `std`, which has one too.
#![no_std]

#[cfg(spoiled)]
extern crate std;

use core::panic::PanicInfo;

use reporter_core::{Accounting, Report, Reporter, Timestamp};

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}

/// Something of the core, so that it is linked.
pub fn tick(report: &mut Report) {
    Reporter::new(Accounting::Average).on_tick(Timestamp::default(), report);
}
