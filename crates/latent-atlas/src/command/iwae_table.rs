//! Which runs of Table 1 of Burda et al. 2016.

use clap::Args;
use runs::Error;
use runs::reproduce::Reproduction;

/// Refuses the first option that was given where it changes nothing.
pub(crate) fn refuse_given(options: &[(&str, bool)], what: &str, to: &str) -> Result<(), Error> {
    let Some((option, _)) = options.iter().find(|(_, is_given)| *is_given) else {
        return Ok(());
    };
    let others = Reproduction::ALL
        .iter()
        .filter(|one| one.is_of_likelihoods());
    let others: Vec<&str> = others.map(|one| one.name).collect();
    Err(Error::Configuration(format!(
        "{option} changes nothing about {what}; leave it out, or {to} {}",
        others.join(" or ")
    )))
}

/// Options of the published results that are likelihoods by number of samples.
#[derive(Clone, Debug, Args)]
pub(crate) struct IwaeTableOptions {
    /// Stages of the IWAE schedule: 1 to 8, for (3^S - 1)/2 epochs; 8 if not
    /// given. A run of fewer stages goes on where it ended.
    #[arg(long, value_name = "S")]
    stages: Option<u32>,

    /// Stochastic layers: 1, as if not given, or 2.
    #[arg(long, value_name = "L")]
    layers: Option<usize>,

    /// Samples of the bound in training, one row each; 1,5,50 if not given.
    #[arg(long = "k", value_name = "K", value_delimiter = ',')]
    samples: Option<Vec<usize>>,
}

impl IwaeTableOptions {
    pub(crate) fn stages(&self) -> u32 {
        self.stages.unwrap_or(8)
    }

    pub(crate) fn layers(&self) -> usize {
        self.layers.unwrap_or(1)
    }

    pub(crate) fn samples(&self) -> Vec<usize> {
        self.samples.clone().unwrap_or_else(|| vec![1, 5, 50])
    }

    /// Refuses them where there is no such result among `what`; `to` is what can be done
    /// with one.
    pub(crate) fn refuse(&self, what: &str, to: &str) -> Result<(), Error> {
        let given = [
            ("--stages", self.stages.is_some()),
            ("--layers", self.layers.is_some()),
            ("--k", self.samples.is_some()),
        ];
        refuse_given(&given, what, to)
    }
}
