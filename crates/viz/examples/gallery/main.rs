//! Draws every chart with synthetic data into `target/gallery`, to be looked at.
//!
//! `cargo run -p viz --example gallery [FOLDER]`

mod pictures;
mod planes;
mod series;
mod shapes;
mod spaces;
mod synthetic;

use std::path::{Path, PathBuf};

use serde_json::json;
use viz::{Figure, Sidecar, write_figure};

type Done = Result<(), Box<dyn std::error::Error>>;

fn main() -> Done {
    let folder = std::env::args_os()
        .nth(1)
        .map_or_else(|| PathBuf::from("target/gallery"), PathBuf::from);
    std::fs::create_dir_all(&folder)?;
    planes::draw(&folder)?;
    series::draw(&folder)?;
    spaces::draw(&folder)?;
    shapes::draw(&folder)?;
    pictures::draw(&folder)
}

fn save(folder: &Path, name: &str, figure: &Figure) -> Done {
    write_figure(
        &folder.join(format!("{name}.png")),
        &figure.render(),
        &sidecar(&figure.caption),
    )?;
    Ok(())
}

fn sidecar(description: &str) -> Sidecar {
    Sidecar {
        description: description.to_string(),
        configuration: json!({"data": "synthetic"}),
        ..Sidecar::default()
    }
}
