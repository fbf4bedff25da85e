//! The graph from codes to values.

use models::{GaussianMean, GaussianSigma, Likelihood, Model};
use onnx::{Attribute, AttributeValue, GraphBuilder, Named};

use super::layers;

pub(super) fn graph(model: &Model) -> GraphBuilder {
    let spec = model.spec();
    let inputs = spec.architecture.inputs;
    let source = spec.likelihood.scale_source();
    let mut graph = GraphBuilder::new("decoder");
    graph.describe(match source {
        None => "codes z to x, the mean of every value as the run read it (after --maximum, --invert, resizing)",
        Some(_) => {
            "codes z to x and sigma, mean and standard deviation of every value as the run read it (after --maximum, --invert, resizing)"
        }
    });
    let z = graph.input("z", spec.architecture.latent);
    let outputs = layers(&mut graph, z, &model.decoder_layers());
    let (means, decoded) = if source == Some(GaussianSigma::Decoder) {
        let log_sigma = columns(&mut graph, &outputs, inputs..2 * inputs, "log_sigma");
        let means = columns(&mut graph, &outputs, 0..inputs, "outputs");
        (means, Some(log_sigma))
    } else {
        (outputs, None)
    };
    let units = model.standardisation().map(|standardisation| {
        let shape = [standardisation.features()];
        let mean = standardisation.mean().to_vec();
        let deviation = standardisation.deviation().to_vec();
        Units {
            mean: graph.floats("standardisation.mean", &shape, mean),
            deviation: graph.floats("standardisation.deviation", &shape, deviation),
        }
    });
    let name = if units.is_some() { "standardised" } else { "x" };
    let mean = mean(&mut graph, &means, spec.likelihood, name);
    let x = match &units {
        None => mean,
        Some(units) => {
            let spread = graph.node("Mul", &[&mean, &units.deviation], "spread", []);
            graph.node("Add", &[&spread, &units.mean], "x", [])
        }
    };
    graph.output(&x, inputs);
    if let Some(source) = source {
        let sigma = sigma(&mut graph, model, source, decoded, &x, units.as_ref());
        graph.output(&sigma, inputs);
    }
    graph
}

/// What takes standardised values back, as constants of the graph.
struct Units {
    mean: Named,
    deviation: Named,
}

/// Adds some columns of rows under a name.
fn columns(
    graph: &mut GraphBuilder,
    rows: &Named,
    range: std::ops::Range<usize>,
    result: &str,
) -> Named {
    let whole = |name: &str, value: usize| Attribute {
        name: name.to_owned(),
        value: AttributeValue::Integers(vec![value as i64]),
    };
    let attributes = [
        whole("axes", 1),
        whole("starts", range.start),
        whole("ends", range.end),
    ];
    graph.node("Slice", &[rows], result, attributes)
}

/// Adds the means of the decoder's outputs under a name.
fn mean(graph: &mut GraphBuilder, outputs: &Named, likelihood: Likelihood, name: &str) -> Named {
    match likelihood {
        Likelihood::ContinuousBernoulli => continuous_bernoulli_mean(graph, outputs, name),
        Likelihood::Bernoulli
        | Likelihood::Gaussian {
            mean: GaussianMean::Sigmoid,
            ..
        }
        | Likelihood::Laplace {
            mean: GaussianMean::Sigmoid,
            ..
        } => graph.node("Sigmoid", &[outputs], name, []),
        Likelihood::Gaussian {
            mean: GaussianMean::Identity,
            ..
        }
        | Likelihood::Laplace {
            mean: GaussianMean::Identity,
            ..
        } => graph.node("Identity", &[outputs], name, []),
    }
}

/// Adds E\[x\] = 1/(1 − e⁻ᵃ) − 1/a of logits a under a name.
///
/// That loses its digits around a = 0, where it is ½ + Σ B₂ₙ a²ⁿ⁻¹/(2n)!: five
/// terms of it, to 1e-9, where |a| < 1, and elsewhere with b = |a| and
/// l = 1/b − e⁻ᵇ/(1 − e⁻ᵇ), which do not overflow, l or 1 − l. Both are computed;
/// clipping keeps either finite where the other counts.
fn continuous_bernoulli_mean(graph: &mut GraphBuilder, logits: &Named, name: &str) -> Named {
    const COEFFICIENTS: [f64; 5] = [
        1.0 / 12.0,
        -1.0 / 720.0,
        1.0 / 30_240.0,
        -1.0 / 1_209_600.0,
        1.0 / 47_900_160.0,
    ];
    let limit = |name: &str, value| Attribute {
        name: name.to_owned(),
        value: AttributeValue::Float(value),
    };
    let one = graph.number("one", 1.0);
    let half = graph.number("half", 0.5);
    let zero = graph.number("zero", 0.0);

    let limits = [limit("min", -1.0), limit("max", 1.0)];
    let small = graph.node("Clip", &[logits], "near.logit", limits);
    let square = graph.node("Mul", &[&small, &small], "near.square", []);
    let constant = |graph: &mut GraphBuilder, order: usize| {
        let value = COEFFICIENTS[order] as f32;
        graph.number(&format!("near.coefficient{order}"), value)
    };
    let last = COEFFICIENTS.len() - 1;
    let mut sum = constant(graph, last);
    for order in (0..last).rev() {
        let coefficient = constant(graph, order);
        let product = format!("near.product{order}");
        let product = graph.node("Mul", &[&square, &sum], &product, []);
        let name = format!("near.sum{order}");
        sum = graph.node("Add", &[&product, &coefficient], &name, []);
    }
    let departure = graph.node("Mul", &[&small, &sum], "near.departure", []);
    let near = graph.node("Add", &[&departure, &half], "near", []);

    let magnitude = graph.node("Abs", &[logits], "magnitude", []);
    let large = graph.node("Max", &[&magnitude, &one], "far.magnitude", []);
    let negative = graph.node("Neg", &[&large], "far.negative", []);
    let exponential = graph.node("Exp", &[&negative], "far.exponential", []);
    let rest = graph.node("Sub", &[&one, &exponential], "far.rest", []);
    let ratio = graph.node("Div", &[&exponential, &rest], "far.ratio", []);
    let inverse = graph.node("Div", &[&one, &large], "far.inverse", []);
    let lower = graph.node("Sub", &[&inverse, &ratio], "far.lower", []);
    let upper = graph.node("Sub", &[&one, &lower], "far.upper", []);
    let is_positive = graph.node("Greater", &[logits, &zero], "far.is_positive", []);
    let far = graph.node("Where", &[&is_positive, &upper, &lower], "far", []);

    let is_near = graph.node("Less", &[&magnitude, &one], "is_near", []);
    graph.node("Where", &[&is_near, &near, &far], name, [])
}

/// Adds σ of every value as `sigma`, with as many rows as `x`.
fn sigma(
    graph: &mut GraphBuilder,
    model: &Model,
    source: GaussianSigma,
    decoded: Option<Named>,
    x: &Named,
    units: Option<&Units>,
) -> Named {
    let is_shared = decoded.is_none();
    // What is the same for all rows is brought to them last.
    let name = |is_last: bool, name: &str| if is_last { "sigma" } else { name }.to_owned();
    let is_last = !is_shared && units.is_none();
    let mut sigma = match (source, decoded) {
        (GaussianSigma::Fixed(sigma), _) => graph.number("sigma.given", sigma as f32),
        (_, Some(log_sigma)) => {
            graph.node("Exp", &[&log_sigma], &name(is_last, "sigma.learned"), [])
        }
        (_, None) => {
            let learned = model.log_sigma().unwrap_or_default();
            let values: Vec<f32> = learned.iter().map(|&value| value as f32).collect();
            let log_sigma = graph.floats("likelihood.log_sigma", &[values.len()], values);
            graph.node("Exp", &[&log_sigma], "sigma.learned", [])
        }
    };
    if let Some(units) = units {
        let name = name(!is_shared, "sigma.units");
        sigma = graph.node("Mul", &[&sigma, &units.deviation], &name, []);
    }
    if is_shared {
        let shape = graph.node("Shape", &[x], "shape", []);
        sigma = graph.node("Expand", &[&sigma, &shape], "sigma", []);
    }
    sigma
}
