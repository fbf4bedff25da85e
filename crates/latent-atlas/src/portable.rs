//! `--portable` of the commands that train, and the path that a run asks for.

use clap::Args;
use runs::Error;
use tensor_ops::isa::{self, Available, Isa};

/// Whether the bits are to be those of every machine.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct PortableOption {
    /// Compute what every machine computes to the bit: without fused multiply-adds and
    /// without the platform's mathematical library. Takes longer.
    #[arg(id = "portable", long = "portable")]
    is_asked: bool,
}

impl PortableOption {
    /// Decides how this process computes, before it computes anything.
    pub(crate) fn decide(self) -> Result<(), Error> {
        if !self.is_asked {
            return Ok(());
        }
        if let Ok(pinned) = isa::preferred()
            && std::env::var_os(isa::PIN_VARIABLE).is_some_and(|pin| !pin.is_empty())
            && pinned != Isa::Portable
        {
            return Err(Error::Configuration(format!(
                "--portable was given, but {} pins the instruction set {pinned}; leave one of them out",
                isa::PIN_VARIABLE
            )));
        }
        pin(Isa::Portable)
    }

    /// The same where a run has been made with the instruction set called `name`: with
    /// that, if this machine has it and nothing else is asked for.
    pub(crate) fn decide_as(self, name: &str) -> Result<(), Error> {
        let is_pinned = std::env::var_os(isa::PIN_VARIABLE).is_some_and(|pin| !pin.is_empty());
        if self.is_asked || is_pinned {
            return self.decide();
        }
        let known = Isa::ALL.into_iter().find(|isa| isa.name() == name);
        known.filter(|isa| isa.is_available()).map_or(Ok(()), pin)
    }

    /// The instruction set that is asked for.
    pub(crate) fn instruction_set(self) -> Option<&'static str> {
        self.is_asked.then(|| Isa::Portable.name())
    }
}

fn pin(isa: Isa) -> Result<(), Error> {
    let available = Available::new(isa).ok_or_else(|| {
        Error::Configuration(format!(
            "this machine does not have the instruction set {isa}"
        ))
    })?;
    isa::pin(available).map_err(|decided| {
        Error::Undefined(format!(
            "this process computes with the instruction set {decided} already, so that {isa} comes too late"
        ))
    })
}
