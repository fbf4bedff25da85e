//! Changed files: good ones with some of their bytes changed, cut, repeated,
//! put elsewhere or replaced by numbers that programs stumble over.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng as _};

use crate::Reader;

/// The changed file with the number `index` of those that begin with `seed`: a
/// finding is repeated by its two numbers.
///
/// # Panics
/// When there is no file to change.
#[must_use]
pub fn mutated(reader: &Reader, files: &[Vec<u8>], seed: u64, index: u64) -> Vec<u8> {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    generator.set_stream(index);
    let mut random = Random(generator);
    let mut bytes = files[random.below(files.len())].clone();
    for _ in 0..=random.below(4) {
        change(&mut bytes, files, &mut random);
    }
    if let Some(repair) = reader.repair
        && random.below(4) > 0
    {
        repair(&mut bytes);
    }
    bytes
}

struct Random(ChaCha8Rng);

impl Random {
    /// A number below `limit`, which is at least 1.
    fn below(&mut self, limit: usize) -> usize {
        (self.0.next_u64() % limit as u64) as usize
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// A place in a file: headers are at the front, directories of archives and
    /// footers at the end, and interesting beyond their size.
    fn place(&mut self, length: usize) -> usize {
        let window = self.of(&[64, 512, usize::MAX]).min(length);
        let offset = self.below(window);
        match self.below(3) {
            0 => length - 1 - offset,
            _ => offset,
        }
    }

    /// A piece of a file of at most 64 bytes, or of any length.
    fn piece(&mut self, length: usize) -> std::ops::Range<usize> {
        let start = self.place(length);
        let longest = self.of(&[4, 16, 64, usize::MAX]).min(length - start);
        start..start + 1 + self.below(longest)
    }
}

/// Lengths and counts at which sums wrap, signs turn or memory ends.
const NUMBERS: &[u64] = &[
    0,
    1,
    2,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0x8000,
    0xffff,
    0x1_0000,
    0x00ff_ffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x1_0000_0000,
    1 << 40,
    i64::MAX as u64,
    1 << 63,
    u64::MAX - 7,
    u64::MAX,
];

/// The same in files of text, and what is no number at all.
const TEXTS: &[&str] = &[
    "0",
    "-1",
    "1",
    "255",
    "65536",
    "2147483648",
    "4294967296",
    "9223372036854775807",
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775808",
    "1e308",
    "1e999",
    "-0.0",
    "5e-324",
    "nan",
    "NaN",
    "inf",
    "null",
    "\"\"",
    "[]",
    "{}",
    "",
    "\0",
    "\u{fffd}",
];

fn change(bytes: &mut Vec<u8>, files: &[Vec<u8>], random: &mut Random) {
    if bytes.is_empty() {
        return;
    }
    let length = bytes.len();
    let at = random.place(length);
    match random.below(13) {
        0 | 1 => bytes[at] ^= 1 << random.below(8),
        2 => bytes[at] = random.below(256) as u8,
        3 => bytes.truncate(at),
        4 => drop(bytes.drain(random.piece(length))),
        5 => {
            let piece: Vec<u8> = (0..=random.below(8))
                .map(|_| random.below(256) as u8)
                .collect();
            bytes.splice(at..at, piece);
        }
        6 => {
            let piece = bytes[random.piece(length)].to_vec();
            bytes.splice(at..at, piece);
        }
        7 => {
            let piece = bytes[random.piece(length)].to_vec();
            let end = (at + piece.len()).min(length);
            bytes[at..end].copy_from_slice(&piece[..end - at]);
        }
        8 => {
            let filling = random.of(&[0, 0x7f, 0xff]);
            bytes[random.piece(length)].fill(filling);
        }
        9 => {
            let number = random.of(NUMBERS);
            let width = random.of(&[1, 2, 4, 8]).min(length - at);
            let number = if random.below(2) == 0 {
                number.to_le_bytes()
            } else {
                (number << (64 - 8 * width)).to_be_bytes()
            };
            bytes[at..at + width].copy_from_slice(&number[..width]);
        }
        10 | 11 => replace_number(bytes, at, random.of(TEXTS)),
        _ => {
            let other = &files[random.below(files.len())];
            bytes.truncate(at);
            bytes.extend(&other[random.below(other.len().max(1)).min(other.len())..]);
        }
    }
}

/// Writes `text` over the first number in digits from `at` on.
fn replace_number(bytes: &mut Vec<u8>, at: usize, text: &str) {
    let Some(start) = bytes[at..].iter().position(u8::is_ascii_digit) else {
        return;
    };
    let start = at + start;
    let digits = bytes[start..]
        .iter()
        .take_while(|byte| byte.is_ascii_digit());
    let end = start + digits.count();
    bytes.splice(start..end, text.bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_file_is_that_of_its_numbers() {
        let reader = &crate::READERS[0];
        let files = [b"{\"a\": 12}".repeat(20), b"other".to_vec()];
        let of = |seed, index| mutated(reader, &files, seed, index);
        assert_eq!(of(1, 2), of(1, 2));
        let different = (0..1000)
            .filter(|&index| of(1, index) != of(2, index))
            .count();
        assert!(different > 900, "{different}");
        let changed = (0..1000)
            .filter(|&index| !files.contains(&of(1, index)))
            .count();
        assert!(changed > 900, "{changed}");
    }

    #[test]
    fn a_number_in_digits_is_replaced_whole() {
        let mut bytes = b"width = 784, 2".to_vec();
        replace_number(&mut bytes, 3, "1e999");
        assert_eq!(bytes, b"width = 1e999, 2");
        replace_number(&mut bytes, 15, "5");
        assert_eq!(bytes, b"width = 1e999, 5");
        replace_number(&mut bytes, 16, "5");
        assert_eq!(bytes, b"width = 1e999, 5");
    }
}
