//! Named starting points for a configuration.

use crate::error::Error;

/// A named layer over the default configuration.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// What `--preset` takes.
    pub name: &'static str,
    /// One line for `--help`.
    pub about: &'static str,
    /// The layer, as TOML.
    pub layer: &'static str,
}

/// Parts of the presets of Burda et al. 2016, Table 1: of each section what is the same
/// in the paper's text and in its code, then what the code does otherwise
/// (github.com/yburda/iwae, commit 78a6075).
macro_rules! table_1 {
    (data) => {
        "treatment = 'binarised-per-minibatch'\n"
    };
    (one_layer) => {
        "kind = 'vae'\nhidden = [200, 200]\nlatent = 50\n"
    };
    (two_layers) => {
        "kind = 'vae'\nhidden = [200, 200]\nlower_latent = 100\n\
         upper_hidden = [100, 100]\nlatent = 50\n"
    };
    (model) => {
        "activation = 'tanh'\noutput_bias = 'train-mean'\n"
    };
    (training) => {
        "epochs = 3280\nbatch = 20\nepsilon = 1e-4\n"
    };
    (tracking) => {
        "[tracking]\nimages_per_class = 0\n"
    };
    // `datasets.py`: the last 400 training images are left out.
    (data_as_published) => {
        "validation = 400\n"
    };
    // `iwae.py`: σ is the exponential of a layer; `nnet.py`: each layer has the seed 123.
    (model_as_published) => {
        "posterior_scale = 'log-sigma'\ninitialisation = 'glorot-repeated'\n"
    };
    // `iwae.py`: the log weight is sampled, and summed over the minibatch; `optimizers.py`:
    // the constants of Adam, its form, and updates that are computed from the moments
    // before any of them; `train.py`: images in their order; `experiments.py`: the rounded
    // step sizes.
    (training_as_published) => {
        "objective = 'iwae'\nbeta1 = 0.99\nsecond_moment_start = 1.0\n\
         adam_form = 'efficient'\nadam_moments = 'previous'\nbatch_gradient = 'sum'\n\
         schedule = 'iwae-rounded'\nshuffle = false\n"
    };
    // Whole presets, of one layer or two.
    (as_in_the_text of $layers:ident) => {
        concat!(
            "[data]\n",
            table_1!(data),
            "[model]\n",
            table_1!($layers),
            table_1!(model),
            "initialisation = 'glorot'\n",
            "[training]\n",
            table_1!(training),
            "schedule = 'iwae'\n",
            table_1!(tracking),
        )
    };
    (as_published of $layers:ident) => {
        concat!(
            "[data]\n",
            table_1!(data),
            table_1!(data_as_published),
            "[model]\n",
            table_1!($layers),
            table_1!(model),
            table_1!(model_as_published),
            "[training]\n",
            table_1!(training),
            table_1!(training_as_published),
            table_1!(tracking),
        )
    };
}

/// Every preset, in the order `--help` lists them.
pub const PRESETS: &[Preset] = &[
    Preset {
        name: "vae-2d",
        about: "VAE 784-256-2, batch 128, codes recorded 24 times an epoch: the shallow 2-D model of the source documents",
        layer: "[model]\nkind = 'vae'\nhidden = [256]\nlatent = 2\n[tracking]\nimages_per_class = 20\nsnapshots_per_epoch = 24\n",
    },
    Preset {
        name: "vae-2d-deep",
        about: "VAE 784-256-32-8-2, batch 128: the deeper 2-D model of the source documents",
        layer: "[model]\nkind = 'vae'\nhidden = [256, 32, 8]\nlatent = 2\n",
    },
    Preset {
        name: "lab-vae",
        about: "VAE 784-512-2, batch 256, not shuffled: the lab exercise's VAE",
        layer: "[model]\nkind = 'vae'\nhidden = [512]\nlatent = 2\n[training]\nbatch = 256\nshuffle = false\n",
    },
    Preset {
        name: "lab-ae",
        about: "AE 784-2 without a hidden layer, batch 256, not shuffled: the lab exercise's AE",
        layer: "[model]\nkind = 'ae'\nhidden = []\nlatent = 2\n[training]\nbatch = 256\nshuffle = false\n",
    },
    Preset {
        name: "lab-ae-deep",
        about: "AE 784-512-2, batch 256, not shuffled: an AE of the lab VAE's architecture",
        layer: "[model]\nkind = 'ae'\nhidden = [512]\nlatent = 2\n[training]\nbatch = 256\nshuffle = false\n",
    },
    Preset {
        name: "pytorch-example",
        about: "VAE 784-400-20, batch 128, 10 epochs: the recipe of PyTorch's VAE example",
        layer: "[model]\nkind = 'vae'\nhidden = [400]\nlatent = 20\n",
    },
    Preset {
        name: "keras-2d",
        about: "VAE 784-256-2, batch 128, 30 epochs: the 2-D model of the Keras notebooks",
        layer: "[model]\nkind = 'vae'\nhidden = [256]\nlatent = 2\n[training]\nepochs = 30\n",
    },
    Preset {
        name: "iwae-table1",
        about: "VAE 784-200-200-50, tanh, binarised per minibatch, batch 20, 3280 epochs: the recipe of Burda et al. 2016, Table 1",
        layer: table_1!(as_in_the_text of one_layer),
    },
    Preset {
        name: TWO_LAYERS,
        about: "the same of two stochastic layers, 784-200-200-100 below 100-100-100-50",
        layer: table_1!(as_in_the_text of two_layers),
    },
    Preset {
        name: "iwae-table1-as-published",
        about: "784-200-200-50 trained as the code published with Burda et al. 2016 trains it, which differs from the paper's text",
        layer: table_1!(as_published of one_layer),
    },
    Preset {
        name: TWO_LAYERS_AS_PUBLISHED,
        about: "the same of two stochastic layers",
        layer: table_1!(as_published of two_layers),
    },
];

/// The preset of two stochastic layers.
pub(crate) const TWO_LAYERS: &str = "iwae-table1-2l";

/// The same as the published code trains it.
pub(crate) const TWO_LAYERS_AS_PUBLISHED: &str = "iwae-table1-as-published-2l";

/// The layer of the preset called `name`, in any case of letters.
///
/// # Errors
/// When there is no such preset; the message names the nearest one.
pub fn find(name: &str) -> Result<toml::Table, Error> {
    let preset = names::choose("preset", name, PRESETS, |preset| preset.name)
        .map_err(Error::Configuration)?;
    Ok(preset
        .layer
        .parse()
        .expect("presets are valid TOML, as a test shows"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configuration::Configuration;

    #[test]
    fn every_preset_resolves() {
        for preset in PRESETS {
            Configuration::resolve(Some(preset.name), None, &[])
                .unwrap_or_else(|error| panic!("{}: {error}", preset.name));
        }
    }

    #[test]
    fn an_unknown_preset_names_the_nearest() {
        let message = find("lab-va").unwrap_err().to_string();
        assert!(message.contains("'lab-vae'"), "{message}");
        let shouted = find("Lab_VAE").expect("the same name");
        assert_eq!(shouted, find("lab-vae").expect("a preset"));
    }
}
