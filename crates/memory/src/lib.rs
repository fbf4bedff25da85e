//! How much memory the machine can still give, and a refusal in words of what
//! needs more. A process that takes more is ended by the system without one.
//! Values that many read are shared and not copied ([`SharedSlice`]).
//!
//! ```
//! memory::require("a batch of 100 images", 78_400)?;
//! let error = memory::require("the header of x.npy", u64::MAX);
//! # if memory::available().is_some() {
//! assert!(error.unwrap_err().to_string().starts_with("the header of x.npy needs"));
//! # }
//! # Ok::<(), memory::TooLarge>(())
//! ```

#![forbid(unsafe_code)]

#[cfg(any(target_os = "linux", test))]
mod linux;
mod shared;

use std::fmt::{self, Display};

pub use shared::SharedSlice;

/// Bytes that can still be taken: the least of what the system has (memory
/// and swap), what the control groups of the process leave of their limits,
/// and what its limit of address space leaves.
///
/// None where nothing is known, which is everywhere but on Linux: no size is
/// refused there.
#[must_use]
pub fn available() -> Option<u64> {
    #[cfg(target_os = "linux")]
    return linux::available(std::path::Path::new("/"));
    #[cfg(not(target_os = "linux"))]
    None
}

/// Refuses what needs more memory than there is [`available`].
///
/// `what` begins the sentence of the refusal: "the images of x.npz".
///
/// # Errors
/// [`TooLarge`] when `bytes` are not available.
pub fn require(what: impl Display, bytes: u64) -> Result<(), TooLarge> {
    require_of(available(), what, bytes)
}

/// As [`require`], of an amount that was found or assumed before.
///
/// # Errors
/// As [`require`]; never without an amount.
pub fn require_of(available: Option<u64>, what: impl Display, bytes: u64) -> Result<(), TooLarge> {
    match available {
        Some(available) if bytes > available => Err(TooLarge {
            what: what.to_string(),
            needed: bytes,
            available,
        }),
        _ => Ok(()),
    }
}

/// Something needs more memory than the machine can give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TooLarge {
    /// What needs it, as the beginning of a sentence.
    pub what: String,
    /// Bytes it needs.
    pub needed: u64,
    /// Bytes there are.
    pub available: u64,
}

impl Display for TooLarge {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} needs {} of memory, and {} can be had on this machine",
            self.what,
            Amount(self.needed),
            Amount(self.available)
        )
    }
}

impl std::error::Error for TooLarge {}

/// Bytes in words, with three digits: `7.84 TB`, `512 MB`, decimal units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amount(
    /// Bytes.
    pub u64,
);

impl Display for Amount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 7] = ["bytes", "kB", "MB", "GB", "TB", "PB", "EB"];
        let mut amount = self.0 as f64;
        let mut unit = 0;
        // What would be shown as a thousand is shown in the next unit.
        while amount >= 999.5 && unit + 1 < UNITS.len() {
            amount /= 1000.0;
            unit += 1;
        }
        let decimals = match amount {
            _ if unit == 0 => 0,
            ..9.995 => 2,
            ..99.95 => 1,
            _ => 0,
        };
        write!(formatter, "{amount:.decimals$} {}", UNITS[unit])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_exactly_is_taken_and_a_byte_more_is_not() {
        assert!(require_of(Some(100), "x", 100).is_ok());
        assert!(require_of(None, "x", u64::MAX).is_ok());
        let error = require_of(Some(3_000_000), "the images of x.npy", 7_840_000_000_000);
        assert_eq!(
            error.unwrap_err().to_string(),
            "the images of x.npy needs 7.84 TB of memory, and 3.00 MB can be had on this machine"
        );
    }

    #[test]
    fn amounts_have_three_digits() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (999, "999 bytes"),
            (1000, "1.00 kB"),
            (9_994, "9.99 kB"),
            (9_996, "10.0 kB"),
            (99_949, "99.9 kB"),
            (99_951, "100 kB"),
            (999_499, "999 kB"),
            (999_500, "1.00 MB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(Amount(bytes).to_string(), text);
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_machine_has_some_and_not_without_end() {
        let available = available().unwrap();
        assert!(available > 1 << 20, "{available}");
        assert!(available < 1 << 50, "{available}");
    }
}
