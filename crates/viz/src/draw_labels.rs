use crate::canvas::{Across, Along, Canvas, Pen, TextLook};
use crate::draw_layer::Mapping;
use crate::font::{cap_height, text_width};
use crate::layer::{Label, Labels, Placing};
use crate::obstacles::Obstacles;

pub(crate) fn draw_labels(
    canvas: &mut Canvas,
    map: &Mapping<'_>,
    layer: &Labels,
    obstacles: &mut Obstacles,
) {
    // A word whose point is outside of the axes would point at nothing.
    let words: Vec<Word<'_>> = layer
        .labels
        .iter()
        .map(|label| {
            let anchor = map.at(label.at);
            Word {
                label,
                anchor,
                place: [anchor[0] + layer.offset[0], anchor[1] - layer.offset[1]],
                half: [
                    0.5 * text_width(&label.text, layer.size, layer.weight) + 2.0,
                    0.5 * cap_height(layer.size) + 4.0,
                ],
            }
        })
        .filter(|word| map.contains(word.anchor))
        .collect();
    let mut places: Vec<[f64; 2]> = words.iter().map(|word| word.place).collect();
    for (place, word) in places.iter_mut().zip(&words) {
        map.keep_inside(place, word.half);
    }
    match layer.placing {
        Placing::Given => {}
        Placing::Apart => {
            separate(&mut places, &words, map);
            for (place, word) in places.iter().zip(&words) {
                let moved = (place[0] - word.place[0]).hypot(place[1] - word.place[1]);
                if moved > 14.0 {
                    let colour = word.label.colour.darker();
                    canvas.line(*place, word.anchor, Pen::new(colour, 0.9));
                    canvas.disc(word.anchor, 2.0, colour, 1.0);
                }
            }
        }
        Placing::Around => {
            for (place, word) in places.iter_mut().zip(&words) {
                let around = word.around(layer.offset);
                let areas = around.map(|[x, y]| {
                    let [w, h] = word.half;
                    [x - w, y - h, x + w, y + h]
                });
                *place = around[obstacles.place(&areas, map)];
                map.keep_inside(place, word.half);
            }
        }
    }
    for (place, word) in places.iter().zip(&words) {
        let look = TextLook {
            halo: 2.4,
            weight: layer.weight,
            ..TextLook::new(layer.size, word.label.colour)
        };
        canvas.text(
            &word.label.text,
            *place,
            Across::Centre,
            Along::Middle,
            look,
        );
    }
}

struct Word<'a> {
    label: &'a Label,
    anchor: [f64; 2],
    /// Where the middle should be.
    place: [f64; 2],
    /// Half width and height of the word's box.
    half: [f64; 2],
}

impl Word<'_> {
    /// Places about the point as far away as `offset`, then half as far again: first where `offset`
    /// points to, then above, below, right, left and in the corners.
    fn around(&self, offset: [f64; 2]) -> [[f64; 2]; 18] {
        let reach = offset[0].hypot(offset[1]);
        let [x, y] = self.anchor;
        let [w, h] = self.half;
        let mut places = [self.place; 18];
        for (ring, places) in places.chunks_exact_mut(9).enumerate() {
            let reach = reach * (1.0 + 0.5 * ring as f64);
            // Beside the point, the word's near edge is where its middle is above it.
            let (aside, beyond) = (reach + w - 4.0, reach.max(h));
            let ways = [
                [0, -1],
                [0, 1],
                [1, 0],
                [-1, 0],
                [1, -1],
                [-1, -1],
                [1, 1],
                [-1, 1],
            ];
            for (place, way) in places[1..].iter_mut().zip(ways) {
                let [right, down] = way.map(f64::from);
                // Corners are as near as sides.
                let [right, down] = match right * down {
                    0.0 => [right, down],
                    _ => [CORNER * right, CORNER * down],
                };
                *place = [x + right * aside, y + down * beyond];
            }
        }
        places
    }
}

/// Sine of 45°, rounded up for the width of words.
const CORNER: f64 = 0.8;

/// Half side of the square around a marked point that words beside it keep free.
const MARK: f64 = 6.5;

/// Pushes overlapping boxes apart along the direction of the smaller overlap, off the marked
/// points and back inside of the axes, until nothing moves.
fn separate(places: &mut [[f64; 2]], words: &[Word<'_>], map: &Mapping<'_>) {
    for _ in 0..200 {
        let mut moved = false;
        for i in 0..places.len() {
            for j in i + 1..places.len() {
                let half = [0, 1].map(|axis| words[i].half[axis] + words[j].half[axis]);
                if let Some((axis, push)) = push_apart(places[i], places[j], half) {
                    places[i][axis] -= 0.5 * push;
                    places[j][axis] += 0.5 * push;
                    moved = true;
                }
            }
        }
        for i in 0..places.len() {
            for other in words {
                // Words in the middle of their points may cover them.
                if other.place == other.anchor {
                    continue;
                }
                let half = words[i].half.map(|side| side + MARK);
                if let Some((axis, push)) = push_apart(other.anchor, places[i], half) {
                    places[i][axis] += push;
                    moved = true;
                }
            }
            map.keep_inside(&mut places[i], words[i].half);
        }
        if !moved {
            break;
        }
    }
}

/// The axis and the way that the second box must go to leave the first, if they overlap.
fn push_apart(first: [f64; 2], second: [f64; 2], half: [f64; 2]) -> Option<(usize, f64)> {
    let apart = [second[0] - first[0], second[1] - first[1]];
    let overlap = [half[0] - apart[0].abs(), half[1] - apart[1].abs()];
    if overlap[0] <= 0.5 || overlap[1] <= 0.5 {
        return None;
    }
    let axis = usize::from(overlap[0] >= overlap[1]);
    let way = if apart[axis] < 0.0 { -1.0 } else { 1.0 };
    Some((axis, way * overlap[axis]))
}
