//! Elementwise work: functions, the loss, the optimiser, normal deviates.

use models::AlignedBuffer;
use serde::Serialize;
use tensor_ops::adam::{AdamConstants, AdamStep, update};
use tensor_ops::panels::Panels;
use tensor_ops::random::{Stream, fill_normal, fill_uniform};
use tensor_ops::{loss, vector};

use super::Sampling;

/// Elements per call: input and output fit the second-level cache, where a
/// training step finds its activations.
const ELEMENTS: usize = 128 * 64;

/// One function's speed on one thread.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct VectorRow {
    /// What is computed.
    pub function: &'static str,
    /// Elements per call.
    pub elements: usize,
    /// Nanoseconds per element.
    pub nanoseconds_per_element: f64,
    /// Elements per second.
    pub elements_per_second: f64,
}

impl VectorRow {
    fn new(function: &'static str, seconds_per_call: f64) -> Self {
        let seconds = seconds_per_call / ELEMENTS as f64;
        Self {
            function,
            elements: ELEMENTS,
            nanoseconds_per_element: seconds * 1e9,
            elements_per_second: 1.0 / seconds,
        }
    }
}

/// Times every function on one thread.
pub(super) fn measure(sampling: Sampling) -> Vec<VectorRow> {
    type Function = fn(&[f32], &mut [f32]);
    let functions: [(&str, Function); 7] = [
        ("exp", vector::exp),
        ("ln", vector::ln),
        ("log1p", vector::log1p_unit),
        ("sigmoid", vector::sigmoid),
        ("softplus", vector::softplus),
        ("tanh", vector::tanh),
        ("relu", vector::relu),
    ];
    let normal = buffer(|out| fill_normal(out, Stream::new(0, 1), 0));
    let unit = buffer(|out| fill_uniform(out, Stream::new(0, 2), 0));
    let mut out = AlignedBuffer::zeroed(ELEMENTS);
    let mut rows = Vec::new();
    for (name, function) in functions {
        // The logarithms are defined for positive arguments.
        let x = if name.starts_with('l') {
            &unit
        } else {
            &normal
        };
        let seconds = sampling.seconds_per_call(|| function(x, &mut out));
        rows.push(VectorRow::new(name, seconds));
    }

    rows.push(loss(sampling));
    rows.push(adam(sampling));

    let mut offset = 0;
    let seconds = sampling.seconds_per_call(|| {
        fill_normal(&mut out, Stream::new(0, 3), offset);
        offset += ELEMENTS as u64;
    });
    rows.push(VectorRow::new("normals", seconds));
    rows
}

/// The loss of a Bernoulli with its gradient.
pub(super) fn loss(sampling: Sampling) -> VectorRow {
    let shape = Panels::new(128, 64);
    let mut logits = buffer(|out| fill_normal(out, Stream::new(0, 1), 0));
    let pixels = buffer(|out| fill_uniform(out, Stream::new(0, 2), 0));
    let mut row_loss = vec![0.0; shape.rows];
    let seconds = sampling.seconds_per_call(|| {
        loss::bce_with_logits(shape, &mut logits, &pixels, &mut row_loss);
    });
    VectorRow::new("bce loss and gradient", seconds)
}

/// Adam's update.
pub(super) fn adam(sampling: Sampling) -> VectorRow {
    let gradient = buffer(|out| fill_normal(out, Stream::new(0, 1), 0));
    let (mut p, mut m) = (gradient.clone(), gradient.clone());
    let mut v = buffer(|out| fill_uniform(out, Stream::new(0, 2), 0));
    let step = AdamStep::new(&AdamConstants::with_learning_rate(1e-3), 100);
    let seconds = sampling.seconds_per_call(|| update(&mut p, &mut m, &mut v, &gradient, &step));
    VectorRow::new("adam", seconds)
}

fn buffer(fill: impl FnOnce(&mut [f32])) -> AlignedBuffer<f32> {
    let mut values = AlignedBuffer::zeroed(ELEMENTS);
    fill(&mut values);
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_reciprocal_and_every_function_is_there() {
        let row = VectorRow::new("exp", 8192e-9);
        assert!((row.nanoseconds_per_element - 1.0).abs() < 1e-12, "{row:?}");
        assert!((row.elements_per_second - 1e9).abs() < 1.0, "{row:?}");
        let sampling = Sampling {
            samples: 1,
            seconds: 1e-6,
        };
        let rows = measure(sampling);
        for name in [
            "exp", "log1p", "sigmoid", "softplus", "tanh", "adam", "normals",
        ] {
            assert!(rows.iter().any(|row| row.function == name), "{name}");
        }
        assert!(rows.iter().all(|row| row.nanoseconds_per_element > 0.0));
    }
}
