//! Which runs of Table 1 of Burda et al. 2016.

use clap::Args;

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

    /// Each option and whether it was given.
    pub(crate) fn given(&self) -> [(&'static str, bool); 3] {
        [
            ("--stages", self.stages.is_some()),
            ("--layers", self.layers.is_some()),
            ("--k", self.samples.is_some()),
        ]
    }
}
