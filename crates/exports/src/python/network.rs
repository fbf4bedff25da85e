//! The layers of the network as PyTorch's modules.

use models::{Activation, GaussianSigma, LinearLayer, PosteriorScale, Role};

use super::Described;

impl Described<'_> {
    /// The class with its modules, whose `state_dict` has the names of the weights.
    pub(super) fn network(&self) -> String {
        let spec = self.model.spec();
        let layout = self.model.parameters().layout();
        let layers = |role| &layout.layers()[layout.network(role)];
        let latent = spec.architecture.latent;
        let mut lines = vec![
            "class Model(nn.Module):".to_owned(),
            format!("    \"\"\"{}.\"\"\"", spec.architecture),
            String::new(),
            "    def __init__(self):".to_owned(),
            "        super().__init__()".to_owned(),
        ];
        let scale = match spec.posterior_scale {
            PosteriorScale::LogVariance => "log_var",
            PosteriorScale::LogSigma => "log_sigma",
        };
        let inputs = spec.architecture.inputs;
        let outputs = match spec.likelihood.scale_source() {
            Some(GaussianSigma::Decoder) => 2 * inputs,
            _ => inputs,
        };
        let mut network = |name: &str, role, heads: &[(String, usize)]| {
            lines.extend(sequential(name, layers(role), heads, outputs));
        };
        let gaussian = |prefix: &str, suffix: &str, width: usize| {
            [
                (format!("{prefix}mu{suffix}"), width),
                (format!("{prefix}{scale}{suffix}"), width),
            ]
        };
        match &spec.architecture.lower {
            Some(lower) => {
                let width = lower.latent;
                network("encoder_1", Role::Encoder, &gaussian("", "_1", width));
                network("encoder_2", Role::UpperEncoder, &gaussian("", "_2", latent));
                network("prior", Role::Prior, &gaussian("prior_", "", width));
            }
            None if spec.kind.is_variational() => {
                network("encoder", Role::Encoder, &gaussian("", "", latent));
            }
            None => network("encoder", Role::Encoder, &[("code".to_owned(), latent)]),
        }
        network("decoder", Role::Decoder, &[]);
        let learned = match spec.likelihood.scale_source() {
            Some(GaussianSigma::Scalar) => Some(1),
            Some(GaussianSigma::PerPixel) => Some(inputs),
            _ => None,
        };
        if let Some(count) = learned {
            lines.push("        self.likelihood = nn.Module()".to_owned());
            lines.push(format!(
                "        self.likelihood.log_sigma = nn.Parameter(torch.zeros({count}))"
            ));
        }
        if self.model.standardisation().is_some() {
            lines.push("        self.standardisation = nn.Module()".to_owned());
            for (name, start) in [("mean", "zeros"), ("deviation", "ones")] {
                lines.push(format!(
                    "        self.standardisation.register_buffer(\"{name}\", torch.{start}({inputs}))"
                ));
            }
        }
        lines.join("\n") + "\n"
    }
}

/// The hidden layers of a network as an `nn.Sequential` and its heads behind them;
/// without heads a last layer of `outputs`, without what pads it, is in it too.
fn sequential(
    name: &str,
    layers: &[LinearLayer],
    heads: &[(String, usize)],
    outputs: usize,
) -> Vec<String> {
    let Some((last, hidden)) = layers.split_last() else {
        return Vec::new();
    };
    let mut modules = Vec::new();
    for layer in hidden {
        modules.push(format!("nn.Linear({}, {})", layer.inputs, layer.outputs));
        modules.push(match layer.activation {
            Activation::Identity => "nn.Identity()".to_owned(),
            Activation::Relu => "nn.ReLU()".to_owned(),
            Activation::Tanh => "nn.Tanh()".to_owned(),
        });
    }
    if heads.is_empty() {
        modules.push(format!("nn.Linear({}, {outputs})", last.inputs));
    }
    let mut lines = Vec::new();
    if modules.is_empty() {
        lines.push(format!(
            "        self.{name} = nn.Sequential()  # no hidden layer"
        ));
    } else {
        lines.push(format!("        self.{name} = nn.Sequential("));
        lines.extend(
            modules
                .iter()
                .map(|module| format!("            {module},")),
        );
        lines.push("        )".to_owned());
    }
    for (head, width) in heads {
        lines.push(format!(
            "        self.{head} = nn.Linear({}, {width})",
            last.inputs
        ));
    }
    lines
}
