//! At most 256 colours for many frames: their own when they are so few, else a median cut.

use std::collections::HashSet;

use crate::{CLASS_COLOURS, Rgb, RgbImage, class_colour, theme};

/// Colours with the index of each colour that occurs in the frames.
pub(crate) struct Palette {
    pub(crate) colours: Vec<Rgb>,
    /// Index of every 24-bit colour; meaningful for those that occur.
    index: Vec<u8>,
}

impl Palette {
    /// A palette of at most `size` ≤ 256 colours for all frames together.
    pub(crate) fn of<'a>(frames: impl IntoIterator<Item = &'a RgbImage>, size: usize) -> Palette {
        let mut counts = vec![0u32; 1 << 24];
        for frame in frames {
            for pixel in frame.pixels().chunks_exact(3) {
                let count = &mut counts[code(Rgb(pixel[0], pixel[1], pixel[2]))];
                *count = count.saturating_add(1);
            }
        }
        let mut used: Vec<Weighted> = counts
            .iter()
            .enumerate()
            .filter(|(_, count)| **count > 0)
            .map(|(code, &count)| Weighted {
                colour: Rgb::hex(code as u32),
                // The root: a few pixels of a class colour, such as those of
                // a legend, count beside the many of a pale background.
                weight: f64::from(count).sqrt(),
            })
            .collect();
        let mut index = vec![0u8; 1 << 24];
        if used.len() <= size {
            for (at, entry) in used.iter().enumerate() {
                index[code(entry.colour)] = at as u8;
            }
            let colours = used.into_iter().map(|entry| entry.colour).collect();
            return Palette { colours, index };
        }
        // Stable order: what means something, then by weight, then by colour as before. The inks of
        // charts and classes, and backgrounds and lines, the most frequent colours, stay exact.
        used.sort_by(|a, b| b.weight.total_cmp(&a.weight));
        let inks: HashSet<Rgb> = inks().collect();
        used.sort_by_key(|entry| !inks.contains(&entry.colour));
        let meaning = used.iter().filter(|e| inks.contains(&e.colour)).count();
        let exact = (meaning + 24).min(size / 2);
        let mut colours: Vec<Rgb> = used[..exact].iter().map(|entry| entry.colour).collect();
        colours.extend(median_cut(used[exact..].to_vec(), size - exact));
        settle(&mut colours, exact, &used[exact..]);
        for entry in &used {
            index[code(entry.colour)] = nearest(&colours, entry.colour);
        }
        Palette { colours, index }
    }

    /// The palette's indices of all pixels.
    pub(crate) fn indices(&self, frame: &RgbImage) -> Vec<u8> {
        frame
            .pixels()
            .chunks_exact(3)
            .map(|pixel| self.index[code(Rgb(pixel[0], pixel[1], pixel[2]))])
            .collect()
    }
}

#[derive(Clone, Copy)]
struct Weighted {
    colour: Rgb,
    weight: f64,
}

fn code(Rgb(r, g, b): Rgb) -> usize {
    usize::from(r) << 16 | usize::from(g) << 8 | usize::from(b)
}

fn channel(colour: Rgb, channel: usize) -> f64 {
    f64::from([colour.0, colour.1, colour.2][channel])
}

/// How much a squared difference of each channel is seen.
const SEEN: [i32; 3] = [2, 4, 3];

/// Colours that mean something: white, the inks of charts, and the classes'.
fn inks() -> impl Iterator<Item = Rgb> {
    let classes = (0..CLASS_COLOURS).map(class_colour);
    let darker = (0..CLASS_COLOURS).map(|class| class_colour(class).darker());
    [
        Rgb::WHITE,
        Rgb::BLACK,
        theme::INK,
        theme::SOFT,
        theme::AXIS,
        theme::GRID,
    ]
    .into_iter()
    .chain(classes)
    .chain(darker)
}

/// Moves the colours after the first `exact` to the means of what they are nearest to (Lloyd
/// 1982), a few times.
fn settle(colours: &mut [Rgb], exact: usize, used: &[Weighted]) {
    for _ in 0..ROUNDS {
        let mut sums = vec![[0.0; 4]; colours.len()];
        for entry in used {
            let sum: &mut [f64; 4] = &mut sums[usize::from(nearest(colours, entry.colour))];
            let Rgb(r, g, b) = entry.colour;
            let ones = [r, g, b].map(f64::from).into_iter().chain([1.0]);
            for (sum, one) in sum.iter_mut().zip(ones) {
                *sum += entry.weight * one;
            }
        }
        for (colour, [r, g, b, weight]) in colours.iter_mut().zip(sums).skip(exact) {
            if weight > 0.0 {
                let [r, g, b] = [r, g, b].map(|sum| (sum / weight).round() as u8);
                *colour = Rgb(r, g, b);
            }
        }
    }
}

const ROUNDS: usize = 3;

fn nearest(colours: &[Rgb], wanted: Rgb) -> u8 {
    let distance = |colour: Rgb| {
        let d = |a: u8, b: u8| i32::from(a) - i32::from(b);
        let [r, g, b] = [
            d(colour.0, wanted.0),
            d(colour.1, wanted.1),
            d(colour.2, wanted.2),
        ];
        SEEN[0] * r * r + SEEN[1] * g * g + SEEN[2] * b * b
    };
    let best = colours
        .iter()
        .enumerate()
        .min_by_key(|(_, colour)| distance(**colour));
    best.map_or(0, |(at, _)| at as u8)
}

/// Splits the set with the largest squared error along one channel at its mean until there are
/// `size` sets (Heckbert 1982 with the variance criterion of Wan, Wong and Prusinkiewicz 1988),
/// and takes the mean of each.
fn median_cut(colours: Vec<Weighted>, size: usize) -> Vec<Rgb> {
    let mut sets = vec![Set::new(colours)];
    while sets.len() < size {
        let worst = sets
            .iter()
            .enumerate()
            .max_by(|a, b| a.1.error.total_cmp(&b.1.error));
        let Some((at, set)) = worst else { break };
        if set.error <= 0.0 {
            break;
        }
        let (split, mean) = (set.channel, set.means[set.channel]);
        let (low, high): (Vec<_>, Vec<_>) = set
            .members
            .iter()
            .partition(|entry| channel(entry.colour, split) <= mean);
        sets[at] = Set::new(low);
        sets.push(Set::new(high));
    }
    sets.iter()
        .filter(|set| !set.members.is_empty())
        .map(|set| {
            let [r, g, b] = set.means.map(|mean| mean.round() as u8);
            Rgb(r, g, b)
        })
        .collect()
}

struct Set {
    members: Vec<Weighted>,
    means: [f64; 3],
    /// The channel with the largest squared error, and that error.
    channel: usize,
    error: f64,
}

impl Set {
    fn new(members: Vec<Weighted>) -> Set {
        let total: f64 = members.iter().map(|entry| entry.weight).sum();
        let means = [0, 1, 2].map(|i| {
            let sum: f64 = members
                .iter()
                .map(|e| e.weight * channel(e.colour, i))
                .sum();
            sum / total.max(1.0)
        });
        let errors = [0, 1, 2].map(|i| {
            members
                .iter()
                .map(|e| e.weight * (channel(e.colour, i) - means[i]).powi(2))
                .sum::<f64>()
                * f64::from(SEEN[i])
        });
        let mut widest = 0;
        for i in 1..3 {
            if errors[i] > errors[widest] {
                widest = i;
            }
        }
        // A set of one colour has an error of rounding only; it cannot be split.
        let error = if members.len() > 1 {
            errors[widest]
        } else {
            0.0
        };
        Set {
            members,
            means,
            channel: widest,
            error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(width: usize) -> RgbImage {
        let mut image = RgbImage::new(width, 2, Rgb::WHITE);
        for x in 0..width {
            image.set(
                x,
                0,
                Rgb((x % 256) as u8, (x / 4 % 256) as u8, (x * 7 % 256) as u8),
            );
        }
        image
    }

    #[test]
    fn few_colours_stay_exact() {
        let image = ramp(200);
        let palette = Palette::of([&image], 255);
        assert!(palette.colours.len() <= 201);
        let indices = palette.indices(&image);
        for (at, index) in indices.iter().enumerate() {
            assert_eq!(
                palette.colours[usize::from(*index)],
                image.get(at % 200, at / 200)
            );
        }
    }

    #[test]
    fn many_colours_become_near_ones_and_the_background_stays() {
        let image = ramp(1024);
        let palette = Palette::of([&image], 255);
        assert!(palette.colours.len() <= 255 && palette.colours.len() > 200);
        let indices = palette.indices(&image);
        let mut squared = 0.0;
        for x in 0..1024 {
            let (found, wanted) = (palette.colours[usize::from(indices[x])], image.get(x, 0));
            squared += (0..3)
                .map(|i| (channel(found, i) - channel(wanted, i)).powi(2))
                .sum::<f64>();
            assert_eq!(palette.colours[usize::from(indices[1024 + x])], Rgb::WHITE);
        }
        let root_mean_square = (squared / (3.0 * 1024.0)).sqrt();
        assert!(root_mean_square < 10.0, "{root_mean_square}");
    }
    #[test]
    fn rare_class_colours_survive_among_many_pale_greys() {
        let mut image = RgbImage::new(100, 100, Rgb::WHITE);
        for at in 0..10_000 {
            let grey = (at * 7919 % 200) as u8;
            let tinted = Rgb(255 - grey, 255 - grey / 2, 255 - grey / 3);
            image.set(at % 100, at / 100, tinted);
        }
        let classes: Vec<Rgb> = (0..10).map(class_colour).collect();
        for (class, &colour) in classes.iter().enumerate() {
            for x in 0..10 {
                image.set(10 * class + x, 50, colour);
            }
        }
        let palette = Palette::of([&image], 128);
        let drawn = palette.indices(&image);
        for (class, &colour) in classes.iter().enumerate() {
            let found = palette.colours[usize::from(drawn[50 * 100 + 10 * class])];
            let distance = (0..3)
                .map(|i| (channel(found, i) - channel(colour, i)).abs())
                .fold(0.0, f64::max);
            assert!(
                distance <= 12.0,
                "class {class}: {colour:?} became {found:?}"
            );
        }
    }
}
