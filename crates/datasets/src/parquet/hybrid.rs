//! Levels and positions in a dictionary: runs of one number, and numbers
//! packed into bits.
//!
//! Format: "RLE / bit-packing hybrid" of the Apache Parquet format.

use std::ops::Range;

/// Numbers of a few bits, read one by one; a run is never unrolled.
#[derive(Clone, Debug)]
pub(super) struct Hybrid {
    bits: u32,
    /// What is left of the page for them.
    bytes: Range<usize>,
    run: Run,
}

#[derive(Clone, Debug)]
enum Run {
    Repeated { number: u32, left: u64 },
    Packed { bit: u64, left: u64 },
}

impl Hybrid {
    /// Numbers of `bits` bits in these bytes of a page; none for more than 32.
    pub(super) fn new(bits: u32, bytes: Range<usize>) -> Option<Self> {
        (bits <= 32).then_some(Self {
            bits,
            bytes,
            run: Run::Repeated { number: 0, left: 0 },
        })
    }

    /// Numbers that are all 0.
    pub(super) fn zeros() -> Self {
        Self {
            bits: 0,
            bytes: 0..0,
            run: Run::Repeated {
                number: 0,
                left: u64::MAX,
            },
        }
    }

    /// The next number; none where the bytes end.
    pub(super) fn next(&mut self, page: &[u8]) -> Option<u32> {
        loop {
            match &mut self.run {
                Run::Repeated { number, left } if *left > 0 => {
                    *left -= 1;
                    return Some(*number);
                }
                Run::Packed { bit, left } if *left > 0 => {
                    *left -= 1;
                    let at = *bit;
                    *bit += u64::from(self.bits);
                    return packed(page, at, self.bits);
                }
                _ => self.start_run(page)?,
            }
        }
    }

    fn start_run(&mut self, page: &[u8]) -> Option<()> {
        let head = self.unsigned(page)?;
        let count = head >> 1;
        if count == 0 {
            // An empty run leads to the next one.
            return Some(());
        }
        self.run = if head & 1 == 1 {
            // Groups of eight numbers.
            let bytes = usize::try_from(count.checked_mul(u64::from(self.bits))?).ok()?;
            let start = self.bytes.start;
            // The last group may be cut off where the page ends.
            let end = start.checked_add(bytes)?.min(self.bytes.end);
            if start == end && self.bits > 0 {
                return None;
            }
            self.bytes.start = end;
            let held = match self.bits {
                0 => count.checked_mul(8)?,
                bits => (end - start) as u64 * 8 / u64::from(bits),
            };
            Run::Packed {
                bit: start as u64 * 8,
                left: held.min(count.checked_mul(8)?),
            }
        } else {
            let bytes = self.bits.div_ceil(8) as usize;
            let stored = page.get(self.bytes.start..self.bytes.start + bytes)?;
            self.bytes.start += bytes;
            Run::Repeated {
                number: stored
                    .iter()
                    .rev()
                    .fold(0, |n, &byte| n << 8 | u32::from(byte)),
                left: count,
            }
        };
        Some(())
    }

    fn unsigned(&mut self, page: &[u8]) -> Option<u64> {
        let mut number = 0u64;
        for shift in (0..35).step_by(7) {
            if self.bytes.start >= self.bytes.end {
                return None;
            }
            let byte = *page.get(self.bytes.start)?;
            self.bytes.start += 1;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }
}

/// The number of `bits` bits at a bit of the page, least significant first.
fn packed(page: &[u8], bit: u64, bits: u32) -> Option<u32> {
    let first = usize::try_from(bit / 8).ok()?;
    let shift = (bit % 8) as u32;
    let bytes = (shift + bits).div_ceil(8) as usize;
    let stored = page.get(first..first + bytes)?;
    let number = stored
        .iter()
        .rev()
        .fold(0u64, |n, &byte| n << 8 | u64::from(byte))
        >> shift;
    Some((number & ((1u64 << bits) - 1)) as u32)
}

/// The bits that numbers up to `largest` take.
pub(super) fn bits_for(largest: u32) -> u32 {
    u32::BITS - largest.leading_zeros()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(bits: u32, bytes: &[u8], count: usize) -> Option<Vec<u32>> {
        let mut hybrid = Hybrid::new(bits, 0..bytes.len())?;
        (0..count).map(|_| hybrid.next(bytes)).collect()
    }

    #[test]
    fn runs_and_packed_groups() {
        // The numbers 0 to 7 in three bits, the example of the specification.
        let packed = [0x03, 0b1000_1000, 0b1100_0110, 0b1111_1010];
        assert_eq!(numbers(3, &packed, 8).unwrap(), [0, 1, 2, 3, 4, 5, 6, 7]);
        let repeated = [0x08, 0x05];
        assert_eq!(numbers(3, &repeated, 4).unwrap(), [5; 4]);
        assert_eq!(numbers(3, &repeated, 5), None);
        let both = [&repeated[..], &packed].concat();
        assert_eq!(numbers(3, &both, 12).unwrap()[4..6], [0, 1]);
        assert_eq!(numbers(33, &both, 1), None);
        assert_eq!(bits_for(0), 0);
        assert_eq!(bits_for(1), 1);
        assert_eq!(bits_for(4), 3);
    }

    #[test]
    fn claims_beyond_the_bytes_end_it() {
        assert_eq!(numbers(8, &[0xff, 0xff, 0xff, 0xff, 0x0f, 1], 2), None);
        assert_eq!(numbers(8, &[0, 0, 0, 0], 1), None);
        assert_eq!(numbers(8, &[0xff; 6], 1), None);
        assert_eq!(Hybrid::zeros().next(&[]), Some(0));
    }
}
