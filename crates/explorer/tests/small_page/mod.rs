//! Small contents of a page, and a reader of payloads that knows nothing of how
//! they are written.

use std::io::Read as _;

use base64::Engine as _;
use explorer::{
    Contents, DataSet, EpochLosses, Explorer, Losses, Moments, Plane, PlaneKind, Principal, Run,
    Still, Thumbnails, Treatment, Weights,
};
use models::{Model, ModelSpec, NamedTensor};
use ndarray::{Array2, Array3};
use serde_json::Value;
use viz::TileShape;

/// Side of the images.
pub(crate) const SIDE: usize = 6;

/// A model with weights that make something of their inputs, not trained.
pub(crate) fn model(
    kind: &str,
    architecture: &str,
    likelihood: &str,
    activation: &str,
    seed: u64,
) -> Model {
    let mut spec = ModelSpec {
        kind: kind.parse().unwrap(),
        architecture: architecture.parse().unwrap(),
        likelihood: likelihood.parse().unwrap(),
        posterior_scale: Default::default(),
    };
    spec.architecture.activation = match activation {
        "relu" => models::Activation::Relu,
        "tanh" => models::Activation::Tanh,
        _ => panic!("{activation}"),
    };
    let fresh = Model::new(spec.clone(), models::Initialisation::PyTorchUniform, seed).unwrap();
    let larger = fresh.named_tensors().into_iter().map(|tensor| NamedTensor {
        values: tensor.values.iter().map(|value| 2.0 * value).collect(),
        ..tensor
    });
    Model::from_named_tensors(spec, larger).unwrap()
}

/// Images `[n, 36]` of some structure.
pub(crate) fn images(n: usize) -> Array2<f32> {
    Array2::from_shape_fn((n, SIDE * SIDE), |(row, at)| {
        let (y, x) = ((at / SIDE) as f32, (at % SIDE) as f32);
        let phase = row as f32 * 0.61;
        let value = 0.5 + 0.5 * (0.9 * x * phase.cos() + 0.9 * y * phase.sin() + phase).sin();
        (value * 255.0).round() / 255.0
    })
}

/// Contents with a run of each model.
pub(crate) fn contents<'a>(models: &'a [Model], images: &'a Array2<f32>) -> Contents<'a> {
    let n = images.nrows();
    let labels: Vec<u32> = (0..n as u32).map(|row| row % 3).collect();
    let shape = TileShape::Grey {
        height: SIDE,
        width: SIDE,
    };
    let which = explorer::balanced(n, Some(&labels), 20);
    let thumbnails = Thumbnails::new(which, shape, |row| {
        images
            .row(row)
            .iter()
            .map(|&v| (v * 255.0).round() as u8)
            .collect()
    });
    Contents {
        program: "latent-atlas 0".into(),
        title: "</script><!-- \u{202e}title".into(),
        data: DataSet {
            name: "small".into(),
            fingerprint: "abc".into(),
            attribution: "nobody".into(),
            split: "test images".into(),
            rows: 5 * n,
            shape,
            range: [0.0, 1.0],
            classes: vec!["</script>".into(), "b".into(), "\u{1f642}".into()],
            index: (0..n as u32).map(|row| 5 * row + 1).collect(),
            labels: Some(labels),
            names: None,
            thumbnails: thumbnails.unwrap(),
        },
        runs: models
            .iter()
            .enumerate()
            .map(|(index, model)| run(index, model, images))
            .collect(),
        still: Still {
            png: vec![0x89],
            size: (1, 1),
            alternative: "a \"map\"".into(),
        },
        weights: Weights::default(),
    }
}

fn run<'a>(index: usize, model: &'a Model, images: &'a Array2<f32>) -> Run<'a> {
    let codes = model.encode(images);
    let latent = codes.mean.ncols();
    let moment = |moment: usize| codes.mean.mapv(|code| code * moment as f32);
    let mut mean = Array3::zeros((3, images.nrows(), latent));
    for at in 0..3 {
        mean.index_axis_mut(ndarray::Axis(0), at)
            .assign(&moment(at));
    }
    let unit = |l: usize| (0..latent).map(|at| f64::from(u8::from(at == l))).collect();
    Run {
        key: format!("run-{index}"),
        title: format!("run {index}"),
        about: "0 epochs".into(),
        model,
        treatment: Treatment::Grey,
        images: images.into(),
        principal: (latent > 1).then(|| Principal {
            mean: vec![0.0; latent],
            axes: [unit(0), unit(1)],
            share: 0.75,
        }),
        plane: match latent {
            1 => Plane {
                kind: PlaneKind::Line,
                ranges: vec![[-1.0, 1.0]],
            },
            2 => Plane {
                kind: PlaneKind::Whole,
                ranges: vec![[-1.0, 1.0]; 2],
            },
            _ => Plane {
                kind: PlaneKind::Variables([0, 2]),
                ranges: vec![[-1.0, 1.0]; 2],
            },
        },
        moments: Some(Moments {
            epochs: vec![0.0, 0.5, 1.0],
            steps: vec![0, 10, 20],
            index: (0..images.nrows() as u32).collect(),
            labels: None,
            mean,
            log_variance: None,
        }),
        epochs: vec![EpochLosses {
            epoch: 1,
            train: Losses {
                loss: 3.123_456,
                reconstruction: 2.0,
                kl: f64::NAN,
            },
            test: Losses {
                loss: 3.0,
                reconstruction: 2.0,
                kl: 1.0,
            },
        }],
        codes,
    }
}

/// A payload, unpacked.
pub(crate) struct Payload {
    /// Its manifest.
    pub(crate) manifest: Value,
    area: Vec<u8>,
}

impl Payload {
    /// That of a page.
    pub(crate) fn of(page: &Explorer) -> Self {
        let packed = base64::engine::general_purpose::STANDARD
            .decode(text(page))
            .unwrap();
        let mut bytes = Vec::new();
        flate2::read::GzDecoder::new(&packed[..])
            .read_to_end(&mut bytes)
            .unwrap();
        let length = u32::from_le_bytes(bytes[..4].try_into().unwrap()) as usize;
        let manifest = serde_json::from_slice(&bytes[4..4 + length]).unwrap();
        let area = bytes.split_off((4 + length).div_ceil(4) * 4);
        Self { manifest, area }
    }

    /// The numbers of a section.
    pub(crate) fn numbers(&self, section: &Value) -> Vec<f64> {
        let at = section["at"].as_u64().unwrap() as usize;
        let length = section["length"].as_u64().unwrap() as usize;
        assert_eq!(at % 4, 0);
        let bytes = |size: usize| self.area[at..at + size * length].chunks(size);
        match section["type"].as_str().unwrap() {
            "u8" => bytes(1).map(|b| f64::from(b[0])).collect(),
            "u16" => bytes(2)
                .map(|b| f64::from(u16::from_le_bytes(b.try_into().unwrap())))
                .collect(),
            "u32" => bytes(4)
                .map(|b| f64::from(u32::from_le_bytes(b.try_into().unwrap())))
                .collect(),
            "f32" => bytes(4)
                .map(|b| f64::from(f32::from_le_bytes(b.try_into().unwrap())))
                .collect(),
            other => panic!("a section of {other}"),
        }
    }

    /// Weights `[outputs × inputs]` of a layer.
    pub(crate) fn weights(&self, layer: &Value) -> Vec<f32> {
        let inputs = layer["inputs"].as_u64().unwrap() as usize;
        let weight = &layer["weight"];
        let (low, step) = (self.numbers(&weight["low"]), self.numbers(&weight["step"]));
        let high = (!weight["high"].is_null()).then(|| self.numbers(&weight["high"]));
        let level = |at: usize| match &high {
            None => f32::from(low[at] as u8 as i8),
            Some(high) => f32::from(i16::from_le_bytes([low[at] as u8, high[at] as u8])),
        };
        (0..low.len())
            .map(|at| level(at) * step[at / inputs] as f32)
            .collect()
    }

    /// Codes `[n × L]` between their bounds.
    pub(crate) fn codes(&self, stored: &Value, values: &str) -> Vec<f64> {
        let bound = |name: &str| -> Vec<f64> {
            let bounds = stored[name].as_array().unwrap().iter();
            bounds.map(|bound| bound.as_f64().unwrap()).collect()
        };
        let (low, high) = (bound("low"), bound("high"));
        let levels = self.numbers(&stored[values]).into_iter().enumerate();
        levels
            .map(|(at, level)| {
                let l = at % low.len();
                low[l] + level / 65535.0 * (high[l] - low[l])
            })
            .collect()
    }
}

/// The text of the payload of a page.
pub(crate) fn text(page: &Explorer) -> &str {
    let html = page.html();
    let start = html.find("id=\"payload\">").unwrap() + "id=\"payload\">".len();
    let length = html[start..].find('<').unwrap();
    html[start..start + length].trim()
}
