//! Files of studies, and the sections that pages are put together from.

use std::fs;
use std::path::Path;

use studies::Study;
use studies::study::EXAMPLE;

use super::{of_file, sentence};
use crate::Opened;

/// What the example has only in comments.
const ARTICLE: &str = r#"
title = "An article"
titles = "architecture"
dataset = "glyphs"
[reading]
maximum = 255.0
[base]
training.epochs = 3
[models.narrow]
model.hidden = [8]
[models.lab]
preset = "lab-ae"
[[article]]
heading = "What the models draw"
[[article]]
text = "On {dataset}: {architecture of narrow}."
[[article]]
figure = "map"
over = "codes"
models = ["narrow"]
[[article]]
table = ["reconstruction"]
[[claims]]
statement = "Narrow is worse."
measure = "reconstruction"
model = "narrow"
over = "lab"
at_least = 1
"#;

pub(crate) fn study(place: &Path) -> Opened {
    let files = vec![EXAMPLE.as_bytes().to_vec(), ARTICLE.as_bytes().to_vec()];
    of_file(place, "asked.toml", files, |path| {
        sentence(Study::read(path))
    })
}

pub(crate) fn section(place: &Path) -> Opened {
    let folder = place.join("figures/glyphs/trajectories");
    fs::create_dir_all(&folder).expect("a folder");
    let figures = place.join("figures");
    let article = place.join("article.md");
    let plain = include_bytes!("../../files/section.json").to_vec();
    let mut sealed = plain.clone();
    durable_files::seal::JSON_DOCUMENT.close(&mut sealed);
    let files = vec![plain, sealed];
    of_file(&folder, "section.json", files, move |_| {
        sentence(studies::markdown::write(&figures, &article))
    })
}
