//! What `--version` says, and what runs record about the program.

use std::sync::LazyLock;

use tensor_ops::isa::{Isa, PIN_VARIABLE, preferred};

/// The git revision, with `-dirty` behind it where sources were changed since;
/// `unknown` in a build without git.
pub(crate) const REVISION: &str = env!("LATENT_ATLAS_REVISION");

/// Version, revision, target and the instruction set of this process.
pub fn version() -> &'static str {
    static VERSION: LazyLock<String> = LazyLock::new(|| {
        // A wrong pin is refused by the commands; help needs none.
        let instruction_set = instruction_set().map_or("unknown", Isa::name);
        format!(
            "{} (revision {REVISION}, target {}, instruction set {instruction_set})",
            env!("CARGO_PKG_VERSION"),
            env!("LATENT_ATLAS_TARGET")
        )
    });
    &VERSION
}

/// The instruction set that the kernels use, or are going to unless another is chosen.
///
/// # Errors
/// When the environment pins one that there is not or that this machine lacks.
pub(crate) fn instruction_set() -> Result<Isa, runs::Error> {
    preferred().map_err(|_| {
        let pin = std::env::var_os(PIN_VARIABLE).unwrap_or_default();
        let available = Isa::ALL.into_iter().filter(|isa| isa.is_available());
        let names: Vec<&str> = available.map(Isa::name).collect();
        runs::Error::Configuration(format!(
            "{PIN_VARIABLE} is '{}', which is no instruction set of this machine; unset it or choose one of {}",
            pin.display(),
            names.join(", ")
        ))
    })
}
