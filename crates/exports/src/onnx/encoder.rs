//! The graph from values to codes.

use models::{Model, PosteriorScale};
use onnx::GraphBuilder;

use super::{dense, layers};

pub(super) fn graph(model: &Model) -> GraphBuilder {
    let spec = model.spec();
    let latent = spec.architecture.latent;
    let mut graph = GraphBuilder::new("encoder");
    graph.describe(if spec.kind.is_variational() {
        "x, values as the run read them (after --maximum, --invert, resizing), to mu and log_var, mean and log variance of q(z|x)"
    } else {
        "x, values as the run read them (after --maximum, --invert, resizing), to mu, the code"
    });
    let mut x = graph.input("x", spec.architecture.inputs);
    if let Some(standardisation) = model.standardisation() {
        let shape = [standardisation.features()];
        let mean = standardisation.mean().to_vec();
        let mean = graph.floats("standardisation.mean", &shape, mean);
        let deviation = standardisation.deviation().to_vec();
        let deviation = graph.floats("standardisation.deviation", &shape, deviation);
        let centred = graph.node("Sub", &[&x, &mean], "centred", []);
        x = graph.node("Div", &[&centred, &deviation], "standardised", []);
    }
    let all = model.encoder_layers();
    let (head, hidden) = match all.split_last() {
        Some(split) => split,
        None => return graph,
    };
    let hidden = layers(&mut graph, x, hidden);
    let tensor = |index: usize| head.tensors.get(index).map_or("", String::as_str);
    let mu = dense(&mut graph, &hidden, head, 0..latent, tensor(0), "mu");
    graph.output(&mu, latent);
    if spec.kind.is_variational() {
        let (rows, tensor) = (latent..2 * latent, tensor(1));
        let log_var = match spec.posterior_scale {
            PosteriorScale::LogVariance => {
                dense(&mut graph, &hidden, head, rows, tensor, "log_var")
            }
            PosteriorScale::LogSigma => {
                let log_sigma = dense(&mut graph, &hidden, head, rows, tensor, "log_sigma");
                let two = graph.number("two", 2.0);
                graph.node("Mul", &[&log_sigma, &two], "log_var", [])
            }
        };
        graph.output(&log_var, latent);
    }
    graph
}
