//! Going through the places of a model, the layers that fit each, and back where
//! nothing fits.

use super::{Arrangement, Head, can_be};
use crate::layers::{Layer, Place, Takes};

/// What is sought.
pub(super) struct Asked<'a> {
    pub(super) layers: &'a [Layer],
    /// Values of a row, where they are known.
    pub(super) inputs: Option<usize>,
    pub(super) is_variational: Option<bool>,
    /// Whether the decoder's widths are those of the encoder.
    pub(super) is_mirrored: bool,
}

/// Layers that are tried in all, before a file is taken for something else.
const MOST_TRIED: usize = 200_000;

/// The first arrangement of all layers that fits; one whose decoder has two outputs for
/// each value only where no other does.
pub(super) fn search(asked: &Asked<'_>) -> Option<Arrangement> {
    [1, 2]
        .into_iter()
        .find_map(|outputs_per_value| search_with(asked, outputs_per_value))
}

fn search_with(asked: &Asked<'_>, outputs_per_value: usize) -> Option<Arrangement> {
    let count = asked.layers.len();
    let variational = [Place::Mean, Place::Scale];
    let heads: [(&[Place], bool); 3] = [
        (&variational, true),
        (&[Place::Code], false),
        (&[Place::Shared], true),
    ];
    let mut tried = 0;
    for (head, is_variational) in heads {
        if asked
            .is_variational
            .is_some_and(|said| said != is_variational)
        {
            continue;
        }
        // The last layer of the decoder is no hidden one.
        let Some(hidden) = count.checked_sub(head.len() + 1) else {
            continue;
        };
        let splits: Vec<[usize; 2]> = if asked.is_mirrored {
            let half = (hidden % 2 == 0).then_some([hidden / 2; 2]);
            half.into_iter().collect()
        } else {
            (0..=hidden)
                .map(|encoder| [encoder, hidden - encoder])
                .collect()
        };
        for [encoder, decoder] in splits {
            let places = (0..encoder)
                .map(Place::Encoder)
                .chain(head.iter().copied())
                .chain((0..=decoder).map(Place::Decoder))
                .collect();
            let mut attempt = Attempt {
                asked,
                places,
                chosen: Vec::new(),
                encoder,
                heads: head.len(),
                outputs_per_value,
                tried,
            };
            let is_found = attempt.go_on();
            tried = attempt.tried;
            if is_found {
                return Some(attempt.arrangement());
            }
            if tried > MOST_TRIED {
                return None;
            }
        }
    }
    None
}

struct Attempt<'a> {
    asked: &'a Asked<'a>,
    places: Vec<Place>,
    /// A layer for each of the first places.
    chosen: Vec<usize>,
    /// Hidden layers of the encoder.
    encoder: usize,
    heads: usize,
    /// Of the decoder.
    outputs_per_value: usize,
    tried: usize,
}

impl Attempt<'_> {
    /// Fills the places from the first free one on.
    fn go_on(&mut self) -> bool {
        let at = self.chosen.len();
        let Some(&place) = self.places.get(at) else {
            return true;
        };
        for layer in 0..self.asked.layers.len() {
            self.tried += 1;
            if self.tried > MOST_TRIED {
                return false;
            }
            if self.chosen.contains(&layer)
                || !can_be(self.asked.layers, layer, place)
                || !self.fits(layer, place)
            {
                continue;
            }
            self.chosen.push(layer);
            if self.go_on() {
                return true;
            }
            self.chosen.pop();
        }
        false
    }

    /// Whether widths and graph allow a layer at the next place.
    fn fits(&self, layer: usize, place: Place) -> bool {
        let candidate = &self.asked.layers[layer];
        let (inputs, outputs) = (candidate.inputs, candidate.outputs);
        let is_odd = place == Place::Shared && outputs % 2 != 0;
        let follows = match place {
            Place::Encoder(0) => self.begins(layer),
            Place::Encoder(index) => self.follows(layer, self.chosen[index - 1]),
            Place::Mean | Place::Shared | Place::Code if self.encoder == 0 => self.begins(layer),
            Place::Mean | Place::Shared | Place::Code => {
                self.follows(layer, self.chosen[self.encoder - 1])
            }
            Place::Scale => {
                let mean = &self.asked.layers[self.chosen[self.encoder]];
                (inputs, outputs) == (mean.inputs, mean.outputs) && candidate.takes == mean.takes
            }
            Place::Decoder(0) => {
                inputs == self.latent()
                    && match candidate.takes {
                        // Of a file of its own, of a sample, or of μ itself.
                        None | Some(Takes::Input) => true,
                        Some(Takes::Computed) => self.places[self.encoder] != Place::Code,
                        Some(Takes::Layer(before, activation)) => {
                            activation.is_none() && before == self.chosen[self.encoder]
                        }
                    }
            }
            Place::Decoder(index) => {
                let before = self.encoder + self.heads + index - 1;
                self.follows(layer, self.chosen[before])
            }
        };
        let ends = match place {
            Place::Decoder(_) if self.chosen.len() + 1 == self.places.len() => {
                outputs == self.outputs_per_value * self.inputs()
            }
            Place::Decoder(index) if self.asked.is_mirrored => {
                let mirrored = self.chosen[self.encoder - 1 - index];
                outputs == self.asked.layers[mirrored].outputs
            }
            _ => true,
        };
        !is_odd && follows && ends
    }

    /// Whether a layer can take the rows of the data.
    fn begins(&self, layer: usize) -> bool {
        let layer = &self.asked.layers[layer];
        self.asked
            .inputs
            .is_none_or(|inputs| inputs == layer.inputs)
            && matches!(layer.takes, None | Some(Takes::Input))
    }

    /// Whether a layer can take the outputs of another.
    fn follows(&self, layer: usize, before: usize) -> bool {
        let taking = &self.asked.layers[layer];
        taking.inputs == self.asked.layers[before].outputs
            && match taking.takes {
                None => true,
                Some(Takes::Layer(index, _)) => index == before,
                Some(Takes::Input | Takes::Computed) => false,
            }
    }

    fn inputs(&self) -> usize {
        self.asked.layers[self.chosen[0]].inputs
    }

    fn latent(&self) -> usize {
        let outputs = self.asked.layers[self.chosen[self.encoder]].outputs;
        match self.places[self.encoder] {
            Place::Shared => outputs / 2,
            _ => outputs,
        }
    }

    fn arrangement(self) -> Arrangement {
        let (inputs, latent) = (self.inputs(), self.latent());
        let decoder = self.chosen[self.encoder + self.heads..].to_vec();
        let head = self.chosen[self.encoder];
        let is_doubled = self.outputs_per_value == 2;
        Arrangement {
            encoder: self.chosen[..self.encoder].to_vec(),
            head: match self.places[self.encoder] {
                Place::Mean => Head::Two(head, self.chosen[self.encoder + 1]),
                Place::Shared => Head::Shared(head),
                _ => Head::Single(head),
            },
            decoder,
            inputs,
            latent,
            is_doubled,
        }
    }
}
