//! The instruction-set path of the process.

use std::fmt;
use std::sync::OnceLock;

/// The environment variable that pins the path: `portable`, `scalar`, `avx2` or
/// `avx512`.
pub const PIN_VARIABLE: &str = "TENSOR_OPS_ISA";

/// An instruction-set path: every kernel exists once for each.
///
/// Results are bit-identical within one path, whatever the number of threads;
/// between paths they differ by rounding. On one path alone, [`Isa::Portable`], they
/// are the same on every machine too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Isa {
    /// The same bits on every machine: each product and each sum is rounded by
    /// itself, and no function comes from the platform's [library](crate::library).
    Portable,
    /// What the target is sure to have: as portable, but with fused multiply-add
    /// where that is part of it (not of x86-64), and with the platform's library.
    Scalar,
    /// x86-64 with AVX2 and FMA.
    Avx2,
    /// x86-64 with AVX-512 F, BW, DQ and VL.
    Avx512,
}

impl Isa {
    /// All paths, slowest first.
    pub const ALL: [Self; 4] = [Self::Portable, Self::Scalar, Self::Avx2, Self::Avx512];

    /// The name used by `TENSOR_OPS_ISA`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Scalar => "scalar",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }

    /// Whether this machine can run the path; constant for the life of the process.
    pub fn is_available(self) -> bool {
        match self {
            Self::Portable | Self::Scalar => true,
            #[cfg(all(target_arch = "x86_64", not(miri)))]
            Self::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(all(target_arch = "x86_64", not(miri)))]
            Self::Avx512 => {
                Self::Avx2.is_available()
                    && is_x86_feature_detected!("popcnt")
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
            }
            #[cfg(not(all(target_arch = "x86_64", not(miri))))]
            Self::Avx2 | Self::Avx512 => false,
        }
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

static DECIDED: OnceLock<Isa> = OnceLock::new();

/// The path of this process: the one it was [pinned](pin) to, otherwise the one
/// `TENSOR_OPS_ISA` names, otherwise the fastest available. Decided at the first call
/// and never again.
///
/// # Panics
/// If `TENSOR_OPS_ISA` names no path, or one this machine does not have: a
/// test pinned to a path must not silently run another.
pub fn isa() -> Isa {
    *DECIDED.get_or_init(|| match preferred() {
        Ok(isa) => isa,
        Err(message) => panic!("{message}"),
    })
}

/// The path that [`isa`] gives, or is going to give unless the process is pinned.
///
/// # Errors
/// A sentence where `TENSOR_OPS_ISA` names no path, or one this machine does not have.
pub fn preferred() -> Result<Isa, String> {
    if let Some(&decided) = DECIDED.get() {
        return Ok(decided);
    }
    let pin = std::env::var_os(PIN_VARIABLE);
    choose(pin.as_ref().map(|value| value.to_string_lossy()).as_deref())
}

/// Decides the path of this process, before anything is computed.
///
/// # Errors
/// The path that has been decided before, where it is another one.
pub fn pin(isa: Available) -> Result<(), Isa> {
    match *DECIDED.get_or_init(|| isa.isa()) {
        decided if decided == isa.isa() => Ok(()),
        decided => Err(decided),
    }
}

/// The proof that a path exists on this machine: made by detection alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Available(Isa);

impl Available {
    /// The proof for `isa`, if this machine has it.
    pub fn new(isa: Isa) -> Option<Self> {
        isa.is_available().then_some(Self(isa))
    }

    /// The proof for the path of this process.
    #[inline]
    pub fn current() -> Self {
        Self(isa())
    }

    /// The path.
    #[inline]
    pub fn isa(self) -> Isa {
        self.0
    }
}

fn choose(pin: Option<&str>) -> Result<Isa, String> {
    let Some(pin) = pin.filter(|value| !value.is_empty()) else {
        let available = Isa::ALL.into_iter().rev().find(|isa| isa.is_available());
        return Ok(available.unwrap_or(Isa::Scalar));
    };
    let isa = Isa::ALL
        .into_iter()
        .find(|isa| isa.name() == pin)
        .ok_or_else(|| {
            format!(
                "{PIN_VARIABLE}={pin} is no instruction-set path: expected portable, scalar, avx2 or avx512"
            )
        })?;
    if isa.is_available() {
        Ok(isa)
    } else {
        Err(format!(
            "{PIN_VARIABLE}={pin}, but this machine does not have it: unset the variable or pin scalar"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pin_is_obeyed_or_refused() {
        assert_eq!(choose(Some("scalar")), Ok(Isa::Scalar));
        assert_eq!(choose(Some("portable")), Ok(Isa::Portable));
        assert!(
            choose(Some("sse9"))
                .unwrap_err()
                .contains("TENSOR_OPS_ISA=sse9")
        );
        for isa in Isa::ALL {
            match choose(Some(isa.name())) {
                Ok(chosen) => assert!(isa.is_available() && chosen == isa),
                Err(message) => {
                    assert!(!isa.is_available());
                    assert!(message.contains("does not have it"));
                }
            }
        }
    }

    #[test]
    fn a_process_is_pinned_once() {
        let decided = Available::current();
        assert_eq!(pin(decided), Ok(()));
        assert_eq!(preferred(), Ok(decided.isa()));
        let mut others = Isa::ALL.into_iter().filter_map(Available::new);
        let other = others
            .find(|other| *other != decided)
            .expect("two at least");
        assert_eq!(pin(other), Err(decided.isa()));
    }

    #[test]
    fn without_a_pin_the_fastest_available_path_is_taken() {
        let chosen = choose(None).unwrap();
        assert!(chosen.is_available());
        assert!(
            Isa::ALL
                .into_iter()
                .all(|isa| isa <= chosen || !isa.is_available())
        );
        assert_eq!(choose(Some("")), Ok(chosen));
    }
}
