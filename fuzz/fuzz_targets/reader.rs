//! The target of the reader that the binary is named after.

#![no_main]

use std::sync::Mutex;

use libfuzzer_sys::fuzz_target;
use readers::{Opened, Reader, place};

static OPENED: Mutex<Option<Opened>> = Mutex::new(None);

fuzz_target!(|bytes: &[u8]| {
    let mut opened = OPENED.lock().expect("a panic ends the process");
    let opened = opened.get_or_insert_with(|| {
        let reader = Reader::named(env!("CARGO_BIN_NAME")).expect("a reader of this name");
        // The folder lives as long as the process.
        reader.open(&place().keep())
    });
    let _ = opened.read(bytes);
});
