use crate::{PETROFF10, Rgb, Shape};

/// Number of different class colours; see [`class_colour`].
pub const CLASS_COLOURS: usize = PETROFF10.len() + FURTHER.len();

// Each is, of the sRGB colours whose channels are multiples of 15, with a contrast of at least 1.6
// with white and a CIELAB lightness of at least 20, the one with the largest CIEDE2000 distance
// to white and to all earlier ones; a test repeats the search.
const FURTHER: [u32; 54] = [
    0x003c00, 0x00e169, 0x69002d, 0x4b2d00, 0x3c8700, 0xffb4d2, 0x003c69, 0xd269ff, 0x007869,
    0xd22d78, 0x876900, 0xb4b4f0, 0xffb496, 0x003c3c, 0x1e5af0, 0xff6978, 0x00b496, 0x4b3c4b,
    0x5a5a4b, 0xa587a5, 0xb4d200, 0x1e96a5, 0x006987, 0xc3b4b4, 0x690f00, 0x00c3ff, 0x000fa5,
    0x875a69, 0x968778, 0x4b4b00, 0xb4d2a5, 0x789669, 0xf069b4, 0x5a0f5a, 0x8769b4, 0x874b1e,
    0x8787ff, 0xa52d3c, 0x879600, 0xff002d, 0xd20fc3, 0x00692d, 0xf0a5ff, 0xc3873c, 0x4bb400,
    0xe1c32d, 0x962d78, 0x4b3c78, 0xd29696, 0x5a7878, 0x964bff, 0x78784b, 0x69e1b4, 0x2d1eff,
];

/// Markers of the classes, one for each round of the colours, easiest to see first.
const MARKS: [Shape; 6] = [
    Shape::Disc,
    Shape::Diamond,
    Shape::Square,
    Shape::Triangle,
    Shape::Cross,
    Shape::Ring,
];

/// The colour of a class: [`PETROFF10`] for the first ten, then 54 more.
///
/// Any two of the first 20 are at least 17.3 apart in CIEDE2000 (the distance of the two nearest
/// of petroff10), any two of all [`CLASS_COLOURS`] at least 12.7, and each has a contrast of at
/// least 1.57 with white. Beyond ten no promise is made for colour blindness. Later classes repeat
/// the colours with another [`class_mark`].
///
/// ```
/// use viz::{CLASS_COLOURS, PETROFF10, class_colour, class_mark};
/// assert_eq!(class_colour(3), PETROFF10[3]);
/// assert!(!PETROFF10.contains(&class_colour(10)));
/// assert_eq!(class_colour(CLASS_COLOURS), class_colour(0));
/// assert_ne!(class_mark(CLASS_COLOURS), class_mark(0));
/// ```
pub fn class_colour(class: usize) -> Rgb {
    let class = class % CLASS_COLOURS;
    match class.checked_sub(PETROFF10.len()) {
        None => PETROFF10[class],
        Some(further) => Rgb::hex(FURTHER[further]),
    }
}

/// The marker of a class: discs for the first [`CLASS_COLOURS`] classes, another shape for each
/// further round of the colours. With six shapes, 384 classes look different from each other;
/// beyond, looks repeat.
pub fn class_mark(class: usize) -> Shape {
    MARKS[class / CLASS_COLOURS % MARKS.len()]
}

/// The class of each point of a chart, or that there are none.
///
/// ```
/// use viz::Classes;
/// let classes = Classes::from(&[0, 7, 2]);
/// assert_eq!((classes.len(), classes.get(1)), (Some(3), Some(7)));
/// assert_eq!((Classes::None.len(), Classes::None.get(1)), (None, None));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Classes<'a> {
    /// No labels: one colour and no legend.
    #[default]
    None,
    /// The number of each point's class.
    Numbers(&'a [u32]),
}

/// The colour of points without a class.
pub(crate) const UNLABELLED: Rgb = PETROFF10[0];

impl Classes<'_> {
    /// Number of labelled points; `None` without labels.
    pub fn len(self) -> Option<usize> {
        match self {
            Classes::None => None,
            Classes::Numbers(classes) => Some(classes.len()),
        }
    }

    /// Whether there is no labelled point.
    pub fn is_empty(self) -> bool {
        self.len().unwrap_or(0) == 0
    }

    /// The class of a point; `None` without labels or beyond their number.
    pub fn get(self, point: usize) -> Option<usize> {
        match self {
            Classes::None => None,
            Classes::Numbers(classes) => classes.get(point).map(|&class| class as usize),
        }
    }

    /// Whether the labels are one for each of `points`, which no labels always are.
    pub(crate) fn fit(self, points: usize) -> bool {
        self.len().is_none_or(|labels| labels == points)
    }

    /// The largest class.
    pub(crate) fn largest(self) -> Option<usize> {
        match self {
            Classes::None => None,
            Classes::Numbers(classes) => classes.iter().max().map(|&class| class as usize),
        }
    }

    /// The colour of a point: its class' or, without labels, one for all.
    pub fn colour(self, point: usize) -> Rgb {
        self.get(point).map_or(UNLABELLED, class_colour)
    }

    /// The marker of each point; none where all are discs.
    pub fn marks(self) -> Vec<Shape> {
        if self.largest().is_none_or(|class| class < CLASS_COLOURS) {
            return Vec::new();
        }
        (0..self.len().unwrap_or(0))
            .map(|point| self.get(point).map_or(Shape::Disc, class_mark))
            .collect()
    }
}

impl<'a> From<&'a [u32]> for Classes<'a> {
    fn from(classes: &'a [u32]) -> Classes<'a> {
        Classes::Numbers(classes)
    }
}

impl<'a> From<Option<&'a [u32]>> for Classes<'a> {
    fn from(classes: Option<&'a [u32]>) -> Classes<'a> {
        classes.map_or(Classes::None, Classes::Numbers)
    }
}

impl<'a> From<&'a Vec<u32>> for Classes<'a> {
    fn from(classes: &'a Vec<u32>) -> Classes<'a> {
        Classes::Numbers(classes)
    }
}

impl<'a, const N: usize> From<&'a [u32; N]> for Classes<'a> {
    fn from(classes: &'a [u32; N]) -> Classes<'a> {
        Classes::Numbers(classes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::colour_difference::{ciede2000, contrast_with_white, lab};

    #[test]
    fn class_colours_start_with_petroff10_in_the_published_order() {
        let published = [
            "3f90da", "ffa90e", "bd1f01", "94a4a2", "832db6", "a96b59", "e76300", "b9ac70",
            "717581", "92dadd",
        ];
        for (class, hex) in published.iter().enumerate() {
            let Rgb(r, g, b) = class_colour(class);
            assert_eq!(format!("{r:02x}{g:02x}{b:02x}"), *hex);
        }
    }

    #[test]
    fn classes_keep_their_distances_and_contrast() {
        let labs: Vec<[f64; 3]> = (0..CLASS_COLOURS).map(|c| lab(class_colour(c))).collect();
        let nearest = |count: usize| {
            (0..count)
                .flat_map(|i| (0..i).map(move |j| (i, j)))
                .map(|(i, j)| ciede2000(labs[i], labs[j]))
                .fold(f64::INFINITY, f64::min)
        };
        assert!(nearest(20) > 17.3, "{}", nearest(20));
        assert!(nearest(62) > 12.8, "{}", nearest(62));
        assert!(nearest(CLASS_COLOURS) > 12.7, "{}", nearest(CLASS_COLOURS));
        for class in 0..CLASS_COLOURS {
            let contrast = contrast_with_white(class_colour(class));
            assert!(contrast > 1.57, "class {class}: {contrast}");
        }
    }

    #[test]
    fn the_further_colours_are_those_of_the_search() {
        let channel = || (0..256u32).step_by(15);
        let candidates: Vec<(u32, [f64; 3])> = channel()
            .flat_map(|r| channel().map(move |g| (r, g)))
            .flat_map(|(r, g)| channel().map(move |b| r << 16 | g << 8 | b))
            .filter(|&hex| contrast_with_white(Rgb::hex(hex)) >= 1.6)
            .map(|hex| (hex, lab(Rgb::hex(hex))))
            .filter(|(_, lab)| lab[0] >= 20.0)
            .collect();
        let mut nearest = vec![f64::INFINITY; candidates.len()];
        let mut take = |colour: Rgb| {
            let taken = lab(colour);
            for (nearest, (_, lab)) in nearest.iter_mut().zip(&candidates) {
                *nearest = nearest.min(ciede2000(*lab, taken));
            }
            // The first of the farthest.
            let best = (0..nearest.len()).fold(0, |best, at| {
                if nearest[at] > nearest[best] {
                    at
                } else {
                    best
                }
            });
            candidates[best].0
        };
        take(Rgb::WHITE);
        let mut next = 0;
        for colour in PETROFF10 {
            next = take(colour);
        }
        let found = FURTHER.map(|_| {
            let found = next;
            next = take(Rgb::hex(found));
            found
        });
        assert_eq!(found, FURTHER);
    }

    #[test]
    fn no_two_of_384_classes_look_alike() {
        let looks: std::collections::HashSet<_> = (0..384)
            .map(|class| (class_colour(class), format!("{:?}", class_mark(class))))
            .collect();
        assert_eq!(looks.len(), 384);
        assert_eq!(class_mark(384), class_mark(0));
    }
}
