//! From a skeleton to the path of a pen: curves, jitter, displacement, slant.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use super::SIDE;
use super::skeleton::{self, Node};

/// Where the pen is, in pixels, and the radius of its tip there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tip {
    pub(super) x: f32,
    pub(super) y: f32,
    pub(super) radius: f32,
}

/// The strokes of one glyph in pixel coordinates: pixel `(row, column)` has
/// its centre at `x = column + ½`, `y = row + ½`.
#[derive(Debug)]
pub(super) struct Ink {
    pub(super) strokes: Vec<Vec<Tip>>,
}

/// The random numbers of one image.
pub(super) struct Draws(ChaCha8Rng);

impl Draws {
    pub(super) fn new(seed: u64, image: u64) -> Self {
        let mut key = [0u8; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[16..].copy_from_slice(b"atlas/glyphs/v01");
        let mut generator = ChaCha8Rng::from_seed(key);
        generator.set_stream(image);
        Self(generator)
    }

    /// Uniform on 0, …, `bound` − 1, up to a bias of `bound`·2⁻³².
    pub(super) fn below(&mut self, bound: u32) -> usize {
        ((u64::from(self.0.next_u32()) * u64::from(bound)) >> 32) as usize
    }

    /// Uniform on [0, 1), a multiple of 2⁻²⁴.
    fn uniform(&mut self) -> f32 {
        (self.0.next_u32() >> 8) as f32 * (1.0 / 16_777_216.0)
    }

    fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.uniform()
    }

    /// Bell-shaped with mean 0 and variance 1, never beyond ±√12: the sum of
    /// four uniform numbers, which needs no logarithm.
    fn bell(&mut self) -> f32 {
        const SCALE: f32 = 1.732_050_8;
        (self.uniform() + self.uniform() + self.uniform() + self.uniform() - 2.0) * SCALE
    }
}

/// Writes `digit` in a random style.
pub(super) fn write(digit: usize, draws: &mut Draws) -> Ink {
    let style = choose_style(digit, draws);
    // Most writers are careful, a few are not.
    let haste = draws.uniform();
    let care = 0.70 + 1.20 * haste * haste;

    let mut strokes: Vec<Vec<Tip>> = Vec::with_capacity(style.strokes.len());
    for nodes in style.strokes {
        let mut moved: Vec<Node> = nodes.to_vec();
        for node in &mut moved {
            node.x += JITTER * care * draws.bell();
            node.y += JITTER * care * draws.bell();
        }
        strokes.push(curve(&moved));
    }
    let field = Displacement::new(ELASTIC * care, draws);
    let map = Affine::new(care, draws);
    for tip in strokes.iter_mut().flatten() {
        field.apply(tip);
        map.apply(tip);
    }
    press(&mut strokes, draws);
    frame(&mut strokes, draws);
    Ink { strokes }
}

/// Standard deviation of a control point, in heights of the digit.
const JITTER: f32 = 0.023;
/// Standard deviation of the displacement's nodes, in heights of the digit.
const ELASTIC: f32 = 0.095;
/// Pieces a curve between two control points is divided into.
const PIECES: usize = 6;

fn choose_style(digit: usize, draws: &mut Draws) -> &'static skeleton::Style {
    let styles = skeleton::styles(digit);
    let total: u32 = styles.iter().map(|style| style.weight).sum();
    let mut ticket = draws.below(total) as u32;
    for style in styles {
        if ticket < style.weight {
            return style;
        }
        ticket -= style.weight;
    }
    unreachable!("a ticket is below the sum of the weights")
}

/// A Catmull–Rom spline through the nodes, broken at corners.
fn curve(nodes: &[Node]) -> Vec<Tip> {
    let tip = |x, y| Tip { x, y, radius: 0.0 };
    let mut path = Vec::with_capacity(nodes.len() * PIECES + 1);
    path.push(tip(nodes[0].x, nodes[0].y));
    for end in 1..nodes.len() {
        let (b, c) = (nodes[end - 1], nodes[end]);
        // Beyond an end or a corner the curve goes on as its mirror image.
        let a = if end >= 2 && !b.corner {
            nodes[end - 2]
        } else {
            mirrored(c, b)
        };
        let d = if end + 1 < nodes.len() && !c.corner {
            nodes[end + 1]
        } else {
            mirrored(b, c)
        };
        for piece in 1..=PIECES {
            let t = piece as f32 / PIECES as f32;
            path.push(tip(
                catmull_rom(a.x, b.x, c.x, d.x, t),
                catmull_rom(a.y, b.y, c.y, d.y, t),
            ));
        }
    }
    path
}

fn mirrored(point: Node, centre: Node) -> Node {
    Node {
        x: 2.0 * centre.x - point.x,
        y: 2.0 * centre.y - point.y,
        corner: false,
    }
}

fn catmull_rom(a: f32, b: f32, c: f32, d: f32, t: f32) -> f32 {
    let cubic = 3.0 * (b - c) + d - a;
    let square = 2.0 * a - 5.0 * b + 4.0 * c - d;
    b + 0.5 * t * ((c - a) + t * (square + t * cubic))
}

/// A smooth random displacement: a bicubic B-spline with random nodes on a
/// coarse grid around the digit.
struct Displacement {
    x: [[f32; Self::NODES]; Self::NODES],
    y: [[f32; Self::NODES]; Self::NODES],
}

impl Displacement {
    /// Nodes per side; three of them reach over each span.
    const NODES: usize = 6;
    const SPANS: usize = Self::NODES - 3;
    /// The grid covers the box of the skeletons and what jitter adds.
    const LOW: f32 = -0.2;
    const SPAN: f32 = 1.4 / Self::SPANS as f32;

    fn new(scale: f32, draws: &mut Draws) -> Self {
        let mut field = Self {
            x: [[0.0; Self::NODES]; Self::NODES],
            y: [[0.0; Self::NODES]; Self::NODES],
        };
        for row in field.x.iter_mut().chain(&mut field.y) {
            for node in row {
                *node = scale * draws.bell();
            }
        }
        field
    }

    fn apply(&self, tip: &mut Tip) {
        let (column, across) = Self::place(tip.x);
        let (row, down) = Self::place(tip.y);
        let (mut dx, mut dy) = (0.0, 0.0);
        for (i, &v) in down.iter().enumerate() {
            for (j, &u) in across.iter().enumerate() {
                dx += v * u * self.x[row + i][column + j];
                dy += v * u * self.y[row + i][column + j];
            }
        }
        tip.x += dx;
        tip.y += dy;
    }

    /// The span a coordinate lies in and the four cubic B-spline weights.
    fn place(coordinate: f32) -> (usize, [f32; 4]) {
        let scaled = ((coordinate - Self::LOW) / Self::SPAN).clamp(0.0, Self::SPANS as f32 - 0.001);
        let span = scaled as usize;
        let t = scaled - span as f32;
        let r = 1.0 - t;
        let weights = [
            r * r * r / 6.0,
            (3.0 * t * t * t - 6.0 * t * t + 4.0) / 6.0,
            (3.0 * r * r * r - 6.0 * r * r + 4.0) / 6.0,
            t * t * t / 6.0,
        ];
        (span, weights)
    }
}

/// Slant, rotation and stretching.
struct Affine {
    xx: f32,
    xy: f32,
    yx: f32,
    yy: f32,
}

impl Affine {
    fn new(care: f32, draws: &mut Draws) -> Self {
        // Right-handed writers slant to the right.
        let slant = -0.14 - 0.24 * draws.bell();
        let turn = 0.10 * care * draws.bell();
        let width = 1.14 + 0.17 * draws.bell();
        // tan of the angle instead of the angle: no sine, no cosine.
        let cosine = 1.0 / (1.0 + turn * turn).sqrt();
        let sine = turn * cosine;
        Self {
            xx: cosine * width,
            xy: cosine * slant - sine,
            yx: sine * width,
            yy: sine * slant + cosine,
        }
    }

    fn apply(&self, tip: &mut Tip) {
        let (x, y) = (tip.x, tip.y);
        tip.x = self.xx * x + self.xy * y;
        tip.y = self.yx * x + self.yy * y;
    }
}

/// Gives each stroke its width, which changes a little along the way.
fn press(strokes: &mut [Vec<Tip>], draws: &mut Draws) {
    let thickness = draws.uniform();
    let radius = THINNEST + (THICKEST - THINNEST) * thickness * (0.35 + 0.65 * thickness);
    for stroke in strokes {
        let begin = radius * draws.between(0.82, 1.12);
        let middle = radius * draws.between(0.92, 1.12);
        let end = radius * draws.between(0.75, 1.10);
        let last = (stroke.len() - 1) as f32;
        for (index, tip) in stroke.iter_mut().enumerate() {
            let t = index as f32 / last;
            // Quadratic Bernstein polynomials.
            let r = 1.0 - t;
            tip.radius = r * r * begin + 2.0 * t * r * middle + t * t * end;
        }
    }
}

/// Radius of the thinnest and the thickest pen, in pixels.
const THINNEST: f32 = 0.8;
const THICKEST: f32 = 2.05;

/// Scales and moves the glyph into the frame of MNIST: the longer side of its
/// box about 20 pixels, ink included, the centre of mass in the middle.
fn frame(strokes: &mut [Vec<Tip>], draws: &mut Draws) {
    let (mut left, mut right) = (f32::INFINITY, f32::NEG_INFINITY);
    let (mut top, mut bottom) = (f32::INFINITY, f32::NEG_INFINITY);
    let mut thickest = 0.0f32;
    for tip in strokes.iter().flatten() {
        left = left.min(tip.x);
        right = right.max(tip.x);
        top = top.min(tip.y);
        bottom = bottom.max(tip.y);
        thickest = thickest.max(tip.radius);
    }
    let longer = (right - left).max(bottom - top).max(1e-3);
    let side = draws.between(18.6, 20.4);
    let scale = (side - 2.0 * thickest) / longer;

    let (mut mass, mut mean_x, mut mean_y) = (0.0, 0.0, 0.0);
    for pair in strokes.iter().flat_map(|stroke| stroke.windows(2)) {
        let (a, b) = (pair[0], pair[1]);
        let (dx, dy) = (b.x - a.x, b.y - a.y);
        let ink = (dx * dx + dy * dy).sqrt() * (a.radius + b.radius);
        mass += ink;
        mean_x += ink * 0.5 * (a.x + b.x);
        mean_y += ink * 0.5 * (a.y + b.y);
    }
    let middle = 0.5 * SIDE as f32;
    let shift_x = middle + 0.35 * draws.bell();
    let shift_y = middle + 0.35 * draws.bell();
    let (mean_x, mean_y) = (mean_x / mass.max(1e-6), mean_y / mass.max(1e-6));
    for tip in strokes.iter_mut().flatten() {
        tip.x = (tip.x - mean_x) * scale + shift_x;
        tip.y = (tip.y - mean_y) * scale + shift_y;
    }
}
