//! What a plot draws inside of its axes, each in data coordinates.

use crate::field::{Field, contour_segments};
use crate::{ColourMap, Image, Rgb, Weight};

/// One layer of a plot; layers are drawn in order, clipped to the axes.
#[derive(Clone, Debug)]
pub enum Layer {
    /// Markers.
    Points(Points),
    /// A line through points.
    Line(Line),
    /// Unconnected straight pieces.
    Segments(Segments),
    /// The area between two curves.
    Band(Band),
    /// Rectangles from a base to a value.
    Bars(Vec<Bar>),
    /// Ellipses and circles.
    Ellipses(Ellipses),
    /// Lines that fade towards their beginnings.
    Trails(Vec<Trail>),
    /// An image stretched over a rectangle.
    Image(PlacedImage),
    /// Values on a lattice as colours.
    Heat(Heat),
    /// Filled polygons.
    Polygons(Vec<Polygon>),
    /// Means with intervals.
    Intervals(Intervals),
    /// Words at points.
    Labels(Labels),
    /// A line across the whole plot.
    Rule(Rule),
}

/// A point and its colour.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Position; a point with a non-finite coordinate is not drawn.
    pub at: [f64; 2],
    /// Colour.
    pub colour: Rgb,
}

/// A marker's shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Shape {
    /// A filled circle.
    #[default]
    Disc,
    /// A filled square.
    Square,
    /// A filled square on its corner.
    Diamond,
    /// A filled triangle.
    Triangle,
    /// A diagonal cross.
    Cross,
    /// A circle's outline.
    Ring,
}

/// Markers.
#[derive(Clone, Debug)]
pub struct Points {
    /// Where, in which colour.
    pub points: Vec<Point>,
    /// Radius in canvas units.
    pub radius: f64,
    /// Opacity, 0 to 1.
    pub alpha: f64,
    /// Marker.
    pub shape: Shape,
    /// Marker of each point; `shape` for points beyond its end.
    pub shapes: Vec<Shape>,
    /// Rim around each marker.
    pub rim: Option<Rgb>,
    /// Draws in a random order fixed by this seed, so that no class hides another.
    pub shuffle: Option<u64>,
}

impl Default for Points {
    fn default() -> Points {
        Points {
            points: Vec::new(),
            radius: 2.0,
            alpha: 1.0,
            shape: Shape::Disc,
            shapes: Vec::new(),
            rim: None,
            shuffle: None,
        }
    }
}

/// How a line is interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Dash {
    /// Not at all.
    #[default]
    Solid,
    /// Dashes.
    Dashed,
    /// Dots.
    Dotted,
}

impl Dash {
    pub(crate) fn pattern(self, width: f64) -> Option<[f64; 2]> {
        match self {
            Dash::Solid => None,
            Dash::Dashed => Some([4.0 * width.max(1.0), 3.0 * width.max(1.0)]),
            Dash::Dotted => Some([1.2 * width.max(1.0), 2.2 * width.max(1.0)]),
        }
    }
}

/// A line through points.
#[derive(Clone, Debug)]
pub struct Line {
    /// The points in order; a non-finite one interrupts the line.
    pub points: Vec<[f64; 2]>,
    /// Colour.
    pub colour: Rgb,
    /// Width in canvas units.
    pub width: f64,
    /// Opacity.
    pub alpha: f64,
    /// Dashes.
    pub dash: Dash,
}

impl Default for Line {
    fn default() -> Line {
        Line {
            points: Vec::new(),
            colour: Rgb::BLACK,
            width: 1.8,
            alpha: 1.0,
            dash: Dash::Solid,
        }
    }
}

/// Unconnected straight pieces of one look.
#[derive(Clone, Debug)]
pub struct Segments {
    /// Both ends of each piece.
    pub segments: Vec<[[f64; 2]; 2]>,
    /// Colour.
    pub colour: Rgb,
    /// Width in canvas units.
    pub width: f64,
    /// Opacity.
    pub alpha: f64,
}

impl Segments {
    /// The curves on which `field` (interpolated linearly) has one of the `levels`.
    pub fn contours(field: &Field, levels: &[f64], colour: Rgb, width: f64) -> Segments {
        Segments {
            segments: levels
                .iter()
                .flat_map(|&level| contour_segments(field, level))
                .collect(),
            colour,
            width,
            alpha: 1.0,
        }
    }
}

/// The area between two curves, such as a mean ± one standard deviation over seeds.
#[derive(Clone, Debug)]
pub struct Band {
    /// Position, lower and upper value.
    pub points: Vec<[f64; 3]>,
    /// Colour.
    pub colour: Rgb,
    /// Opacity.
    pub alpha: f64,
}

/// A rectangle: a bar of a chart or a bin of a histogram.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bar {
    /// Horizontal extent.
    pub x: [f64; 2],
    /// Vertical extent; on a logarithmic axis a base of zero means the lower end of the axis.
    pub y: [f64; 2],
    /// Colour.
    pub colour: Rgb,
    /// Opacity.
    pub alpha: f64,
}

/// An ellipse such as one standard deviation of a Gaussian.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ellipse {
    /// Centre.
    pub centre: [f64; 2],
    /// Half axes before turning.
    pub radii: [f64; 2],
    /// Angle from the horizontal axis to the first half axis, radians, counter-clockwise.
    pub angle: f64,
    /// Colour.
    pub colour: Rgb,
}

/// Ellipses of one look.
#[derive(Clone, Debug)]
pub struct Ellipses {
    /// The ellipses.
    pub ellipses: Vec<Ellipse>,
    /// Opacity of the inside.
    pub fill: f64,
    /// Opacity of the edge.
    pub edge: f64,
    /// Width of the edge in canvas units.
    pub width: f64,
    /// Dashes of the edge.
    pub dash: Dash,
}

impl Ellipses {
    /// The circles of `radii` about the origin that show the prior N(0, I): dashed, dark, empty.
    pub fn prior(radii: &[f64]) -> Ellipses {
        Ellipses {
            ellipses: radii
                .iter()
                .map(|&radius| Ellipse {
                    centre: [0.0, 0.0],
                    radii: [radius, radius],
                    angle: 0.0,
                    colour: Rgb::hex(0x2b3038),
                })
                .collect(),
            fill: 0.0,
            edge: 0.8,
            width: 1.2,
            dash: Dash::Dashed,
        }
    }
}

/// A path that fades towards its beginning, ending in a dot.
#[derive(Clone, Debug)]
pub struct Trail {
    /// Positions from the oldest to the newest.
    pub points: Vec<[f64; 2]>,
    /// Colour.
    pub colour: Rgb,
    /// Width at the newest end, canvas units.
    pub width: f64,
    /// Opacity at the oldest end.
    pub oldest: f64,
}

/// An image stretched over a rectangle of the plot, its first row at the upper end of `y`.
#[derive(Clone, Debug)]
pub struct PlacedImage {
    /// The image.
    pub image: Image,
    /// Left and right edge.
    pub x: [f64; 2],
    /// Lower and upper edge.
    pub y: [f64; 2],
    /// Opacity.
    pub alpha: f64,
}

/// Values on a lattice as colours.
#[derive(Clone, Debug)]
pub struct Heat {
    /// The values.
    pub field: Field,
    /// Their colours.
    pub map: ColourMap,
    /// Values of the map's two ends.
    pub limits: [f64; 2],
    /// Interpolates between lattice points instead of drawing cells.
    pub smooth: bool,
    /// Opacity.
    pub alpha: f64,
}

/// A filled polygon.
#[derive(Clone, Debug, PartialEq)]
pub struct Polygon {
    /// Its corners in order.
    pub corners: Vec<[f64; 2]>,
    /// Colour of the inside.
    pub colour: Rgb,
    /// Opacity of the inside.
    pub alpha: f64,
    /// Colour and width of the edge.
    pub edge: Option<(Rgb, f64)>,
}

/// Means with intervals.
#[derive(Clone, Debug, Default)]
pub struct Intervals {
    /// The intervals.
    pub intervals: Vec<Interval>,
    /// The intervals lie along the horizontal axis, one above the other.
    pub horizontal: bool,
}

/// A mean with its interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Position on the other axis.
    pub at: f64,
    /// The mean, drawn as a dot.
    pub mean: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Colour.
    pub colour: Rgb,
}

/// A word at a point.
#[derive(Clone, Debug, PartialEq)]
pub struct Label {
    /// Position of its middle.
    pub at: [f64; 2],
    /// The word.
    pub text: String,
    /// Colour.
    pub colour: Rgb,
}

/// How words find their places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Placing {
    /// They stand at the offset, whatever is there.
    Given,
    /// They are moved apart until none covers another, with a thin line back to the point.
    #[default]
    Apart,
    /// Each stands about its point where it covers the fewest points (but pale ones, of an opacity
    /// below one half), lines, bars and intervals of the plot and no word before it, at the offset
    /// if that is as good as any place.
    Around,
}

/// Words at points.
#[derive(Clone, Debug)]
pub struct Labels {
    /// The words.
    pub labels: Vec<Label>,
    /// Font size in canvas units.
    pub size: f64,
    /// Offset of all words in canvas units, right and up.
    pub offset: [f64; 2],
    /// How words find their places.
    pub placing: Placing,
    /// Weight of the letters.
    pub weight: Weight,
}

impl Default for Labels {
    fn default() -> Labels {
        Labels {
            labels: Vec::new(),
            size: 13.0,
            offset: [0.0, 0.0],
            placing: Placing::Apart,
            weight: Weight::SemiBold,
        }
    }
}

/// A line across the whole plot.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The value it marks.
    pub at: f64,
    /// Whether it is a value of the vertical axis (a horizontal line).
    pub horizontal: bool,
    /// Colour.
    pub colour: Rgb,
    /// Dashes.
    pub dash: Dash,
    /// What it is, written along it; empty for nothing.
    pub label: String,
}
