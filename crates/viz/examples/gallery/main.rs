//! Draws every chart with synthetic data into `target/gallery`, to be looked at, as PNG, SVG and PDF.
//!
//! `cargo run -p viz --example gallery [FOLDER [screen|slide|paper [bare]]]`

mod pictures;
mod planes;
mod series;
mod shapes;
mod spaces;
mod synthetic;

use std::path::PathBuf;

use serde_json::json;
use viz::{Figure, FigureOutput, Format, Sidecar, write_figure_as};

type Done = Result<(), Box<dyn std::error::Error>>;

fn main() -> Done {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments
        .next()
        .map_or_else(|| PathBuf::from("target/gallery"), PathBuf::from);
    let scale = arguments.next().map(|scale| scale.parse()).transpose()?;
    let gallery = Gallery {
        folder,
        output: FigureOutput {
            formats: vec![Format::Svg, Format::Pdf],
            scale: scale.unwrap_or_default(),
            bare: arguments.next().is_some_and(|word| word == "bare"),
        },
    };
    std::fs::create_dir_all(&gallery.folder)?;
    planes::draw(&gallery)?;
    series::draw(&gallery)?;
    spaces::draw(&gallery)?;
    shapes::draw(&gallery)?;
    pictures::draw(&gallery)
}

/// Where pictures go, and how they are written.
struct Gallery {
    folder: PathBuf,
    output: FigureOutput,
}

impl Gallery {
    fn save(&self, name: &str, figure: &Figure) -> Done {
        let path = self.folder.join(format!("{name}.png"));
        write_figure_as(&path, figure, &sidecar(&figure.caption), &self.output)?;
        Ok(())
    }
}

fn sidecar(description: &str) -> Sidecar {
    Sidecar {
        description: description.to_string(),
        configuration: json!({"data": "synthetic"}),
        ..Sidecar::default()
    }
}
