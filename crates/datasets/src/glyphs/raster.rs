//! Drawing the path of a pen into grey pixels.

use super::deform::{Ink, Tip};
use super::{PIXELS, SIDE};

/// Draws `ink` into `pixels`, 0 the background and 255 full ink.
///
/// The signed distance of a pixel's centre from the ink, the least over all
/// segments of its distance from the segment less the pen's radius there,
/// becomes grey along a linear ramp [`RAMP`] pixels wide around zero. Only
/// the pixels in a segment's own box are visited.
pub(super) fn render(ink: &Ink, pixels: &mut [u8]) {
    let mut distance = [RAMP; PIXELS];
    for stroke in &ink.strokes {
        for pair in stroke.windows(2) {
            segment(pair[0], pair[1], &mut distance);
        }
    }
    for (pixel, &distance) in pixels.iter_mut().zip(&distance) {
        let coverage = (0.5 - distance * (1.0 / RAMP)).clamp(0.0, 1.0);
        *pixel = (coverage * 255.0 + 0.5) as u8;
    }
}

/// Width of the edge between background and ink, in pixels; a little more than
/// one, as MNIST's anti-aliased reduction leaves it.
const RAMP: f32 = 1.15;

fn segment(a: Tip, b: Tip, distance: &mut [f32; PIXELS]) {
    let reach = a.radius.max(b.radius) + 0.5 * RAMP;
    let columns = covered(a.x.min(b.x) - reach, a.x.max(b.x) + reach);
    let rows = covered(a.y.min(b.y) - reach, a.y.max(b.y) + reach);
    let (dx, dy) = (b.x - a.x, b.y - a.y);
    let length = dx * dx + dy * dy;
    // A segment without length is its first point: every t becomes 0.
    let inverse = if length > 0.0 { 1.0 / length } else { 0.0 };
    let widening = b.radius - a.radius;
    for row in rows {
        let y = row as f32 + 0.5 - a.y;
        let line = &mut distance[row * SIDE..(row + 1) * SIDE];
        for (column, least) in columns.clone().zip(&mut line[columns.clone()]) {
            let x = column as f32 + 0.5 - a.x;
            let t = ((x * dx + y * dy) * inverse).clamp(0.0, 1.0);
            let (off_x, off_y) = (x - t * dx, y - t * dy);
            let here = (off_x * off_x + off_y * off_y).sqrt() - (a.radius + t * widening);
            *least = if here < *least { here } else { *least };
        }
    }
}

/// The pixels of a row or column whose centres may lie between two
/// coordinates.
fn covered(low: f32, high: f32) -> std::ops::Range<usize> {
    let first = (low - 0.5).ceil().clamp(0.0, SIDE as f32) as usize;
    let last = (high + 0.5).floor().clamp(0.0, SIDE as f32) as usize;
    first..last.max(first)
}
