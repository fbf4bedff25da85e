//! Weights of other programs, and the file that names them.

use std::path::{Path, PathBuf};

use imports::{Declared, NameMap};

use super::{fixture, of_file, sentence};
use crate::Opened;

pub(crate) fn safetensors(place: &Path) -> Opened {
    let files = vec![
        fixture("imports/pytorch-example.safetensors"),
        fixture("imports/keras.safetensors"),
        fixture("imports/no-bias.safetensors"),
    ];
    of_model(place, "model.safetensors", files)
}

pub(crate) fn torch(place: &Path) -> Opened {
    let files = vec![
        fixture("imports/pytorch-example.pt"),
        fixture("imports/checkpoint.pth"),
        fixture("imports/shared-head.pt"),
    ];
    of_model(place, "model.pt", files)
}

pub(crate) fn onnx(place: &Path) -> Opened {
    let files = vec![
        fixture("imports/pytorch-example.onnx"),
        fixture("imports/log-sigma.onnx"),
    ];
    of_model(place, "model.onnx", files)
}

fn of_model(place: &Path, name: &'static str, files: Vec<Vec<u8>>) -> Opened {
    of_file(place, name, files, |path| {
        let paths: [PathBuf; 1] = [path.to_owned()];
        sentence(imports::read(&paths, None, &Declared::default()))
    })
}

pub(crate) fn name_map(place: &Path) -> Opened {
    const MAP: &[u8] = b"\
\"encoder.0\" = \"fc1\"
mu = { name = \"fc21\", transpose = false, rows = [0, 3] }
log_var.weight = \"fc22.weight\"
log_var.bias = \"fc22.bias\"
decoder.0 = \"fc3\"
ignore = [\"classifier.\"]
";
    let weights = place.join("weights.pt");
    std::fs::write(&weights, fixture("imports/pytorch-example.pt")).expect("writable");
    of_file(place, "names.toml", vec![MAP.to_vec()], move |path| {
        let text = input_files::read_to_string(path).map_err(|error| error.to_string())?;
        let map = NameMap::parse(&text, "names.toml").map_err(|error| error.to_string())?;
        let paths: [PathBuf; 1] = [weights.clone()];
        sentence(imports::read(&paths, Some(&map), &Declared::default()))
    })
}
