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
        layer: "[data]\ntreatment = 'binarised-per-minibatch'\n\
                [model]\nkind = 'vae'\nhidden = [200, 200]\nlatent = 50\nactivation = 'tanh'\n\
                initialisation = 'glorot'\noutput_bias = 'train-mean'\n\
                [training]\nepochs = 3280\nbatch = 20\nepsilon = 1e-4\nschedule = 'iwae'\n\
                [tracking]\nimages_per_class = 0\n",
    },
    Preset {
        name: TWO_LAYERS,
        about: "the same of two stochastic layers, 784-200-200-100 below 100-100-100-50",
        layer: "[data]\ntreatment = 'binarised-per-minibatch'\n\
                [model]\nkind = 'vae'\nhidden = [200, 200]\nlower_latent = 100\n\
                upper_hidden = [100, 100]\nlatent = 50\nactivation = 'tanh'\n\
                initialisation = 'glorot'\noutput_bias = 'train-mean'\n\
                [training]\nepochs = 3280\nbatch = 20\nepsilon = 1e-4\nschedule = 'iwae'\n\
                [tracking]\nimages_per_class = 0\n",
    },
];

/// The preset of two stochastic layers.
pub(crate) const TWO_LAYERS: &str = "iwae-table1-2l";

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
