//! The runs and the classes as plain tables: what the page says to whoever
//! sees no planes.

use std::fmt::Write as _;

use viz::number::decimal;
use viz::page::escape;

use crate::contents::DataSet;
use crate::manifest::StoredModel;

/// More classes are not listed one by one.
const MOST_CLASSES: usize = 100;

/// Both tables as HTML; `reconstruction` is the mean of each run.
pub(crate) fn tables(data: &DataSet, models: &[StoredModel], reconstruction: &[f64]) -> String {
    let (noun, capital) = match data.shape {
        viz::TileShape::Line { .. } => ("vectors", "Vectors"),
        _ => ("images", "Images"),
    };
    let mut html = format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Runs\"><table><caption>Each run at the codes of the {noun} shown</caption>\
         <thead><tr><th scope=\"col\">run</th><th scope=\"col\">trained</th>\
         <th scope=\"col\">latent variables</th><th scope=\"col\">of them in use</th>\
         <th scope=\"col\">reconstruction, nats</th><th scope=\"col\">KL, nats</th></tr></thead>\
         <tbody>",
    );
    for (model, reconstruction) in models.iter().zip(reconstruction) {
        let in_use = model.active.iter().filter(|&&active| active).count();
        let kl = model.kl.as_ref().map(|kl| kl.iter().sum::<f64>());
        // Writing into a string does not fail.
        let _ = write!(
            html,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{in_use}</td><td>{}</td><td>{}</td></tr>",
            escape(&model.title),
            escape(&model.about),
            model.latent,
            decimal(*reconstruction, 2),
            kl.map_or("–".to_owned(), |kl| decimal(kl, 2)),
        );
    }
    html.push_str("</tbody></table></div>");
    let Some(labels) = data
        .labels
        .as_ref()
        .filter(|_| data.classes.len() <= MOST_CLASSES)
    else {
        return html;
    };
    let _ = write!(
        html,
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Classes\"><table><caption>{capital} shown of each class</caption><thead><tr>\
         <th scope=\"col\">class</th><th scope=\"col\">{noun}</th></tr></thead><tbody>",
    );
    for (class, name) in data.classes.iter().enumerate() {
        let count = labels
            .iter()
            .filter(|&&label| label as usize == class)
            .count();
        let _ = write!(
            html,
            "<tr><th scope=\"row\"><bdi>{}</bdi></th><td>{}</td></tr>",
            escape(name),
            decimal(count as f64, 0),
        );
    }
    html.push_str("</tbody></table></div>");
    html
}
