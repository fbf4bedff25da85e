//! The box around data in space: walls with a grid, ticks and names at its outer edges.

use crate::charts::Camera;
use crate::number::nice_ticks;
use crate::{
    Aspect, Axis, Frame, Label, Labels, Layer, Placing, Plot, Polygon, Rgb, Segments, Weight,
    text_width, theme,
};

/// Side of the plot in canvas units, and the width it shows: the box reaches √2
/// to both sides, the rest is for ticks and names.
const SIZE: f64 = 430.0;
const WIDTH: f64 = 3.8;
/// What two labels beside each other keep free, in units of the plot's axes.
const AIR: [f64; 2] = [0.06, 0.0];

pub(super) fn space_plot(layers: Vec<Layer>, camera: Camera) -> Plot {
    // Room for the box at any azimuth, its ticks and names, so that a turning
    // camera keeps the picture's size.
    let (sin, cos) = camera.elevation.to_radians().sin_cos();
    let half = cos.abs() + std::f64::consts::SQRT_2 * sin.abs();
    Plot {
        x: Axis::linear("", -0.5 * WIDTH, 0.5 * WIDTH),
        y: Axis::linear("", -half - 0.42, half + 0.08),
        size: [SIZE, SIZE],
        aspect: Aspect::EqualSize,
        frame: Frame::None,
        grid: [false, false],
        layers,
        ..Plot::default()
    }
}

/// The three far walls of the box with a grid, then (after the data) ticks and names at its outer
/// edges.
pub(super) fn box_layers(axes: &[Axis; 3], camera: Camera) -> Vec<Layer> {
    let project = |point: [f64; 3]| {
        let [right, up, _] = camera.project(point);
        [right, up]
    };
    // The sign of each axis' far wall: the one whose middle is deeper.
    let far = [0, 1, 2].map(|axis| {
        let mut middle = [0.0; 3];
        middle[axis] = 1.0;
        if camera.project(middle)[2] > 0.0 {
            -1.0
        } else {
            1.0
        }
    });
    let ticks = [0, 1, 2].map(|axis| {
        nice_ticks(axes[axis].low, axes[axis].high, 4)
            .into_iter()
            .map(|(value, label)| (2.0 * axes[axis].fraction(value) - 1.0, label))
            .collect::<Vec<_>>()
    });
    let mut walls = Vec::new();
    let mut grid = Vec::new();
    for axis in 0..3 {
        let (u, v) = ((axis + 1) % 3, (axis + 2) % 3);
        let at = |a: f64, b: f64| {
            let mut point = [0.0; 3];
            (point[axis], point[u], point[v]) = (far[axis], a, b);
            project(point)
        };
        walls.push(Polygon {
            corners: vec![at(-1.0, -1.0), at(1.0, -1.0), at(1.0, 1.0), at(-1.0, 1.0)],
            colour: Rgb::hex(0xf6f7f9),
            alpha: 1.0,
            edge: Some((Rgb::hex(0xc4c9d0), 1.0)),
        });
        for (position, _) in &ticks[u] {
            grid.push([at(*position, -1.0), at(*position, 1.0)]);
        }
        for (position, _) in &ticks[v] {
            grid.push([at(-1.0, *position), at(1.0, *position)]);
        }
    }
    let mut words: Vec<([f64; 2], String, Rgb)> = Vec::new();
    let mut marks = Vec::new();
    for axis in 0..3 {
        let Some(edge) = outer_edge(axis, far, camera) else {
            continue;
        };
        let on_edge = |position: f64| {
            let mut point = edge;
            point[axis] = position;
            project(point)
        };
        // Away from the box: perpendicular to the edge, on the side without the middle.
        let (from, to) = (on_edge(-1.0), on_edge(1.0));
        let along = [to[0] - from[0], to[1] - from[1]];
        let length = along[0].hypot(along[1]).max(1e-9);
        let mut out = [along[1] / length, -along[0] / length];
        let middle = on_edge(0.0);
        if out[0] * middle[0] + out[1] * middle[1] < 0.0 {
            out = [-out[0], -out[1]];
        }
        let beyond = |at: [f64; 2], d: f64| [at[0] + d * out[0], at[1] + d * out[1]];
        marks.push([from, to]);
        // An axis that is seen end on has no room for ticks.
        if length > 0.5 {
            for (position, label) in &ticks[axis] {
                let at = on_edge(*position);
                marks.push([at, beyond(at, 0.035)]);
                let at = beyond(at, 0.14);
                // Two axes meet in a corner, where only one label has room.
                let half = half_extent(label);
                let covered = words.iter().any(|(other, text, _)| {
                    let other_half = half_extent(text);
                    (0..2).all(|side| {
                        (at[side] - other[side]).abs() < half[side] + other_half[side] + AIR[side]
                    })
                });
                if !covered {
                    words.push((at, label.clone(), theme::SOFT));
                }
            }
        }
        if length > 0.2 {
            // Beside the vertical axis the name would cover its ticks; above it
            // there is room unless the view is nearly level.
            let at = if axis == 2 && camera.elevation.to_radians().sin() > 0.26 {
                let [right, up] = on_edge(1.0);
                [right, up + 0.12]
            } else {
                beyond(middle, 0.36)
            };
            words.push((at, axes[axis].label.clone(), theme::INK));
        }
    }
    let labels = |colour: Rgb, size: f64| {
        Layer::Labels(Labels {
            labels: words
                .iter()
                .filter(|(_, _, c)| *c == colour)
                .map(|(at, text, colour)| Label {
                    at: *at,
                    text: text.clone(),
                    colour: *colour,
                })
                .collect(),
            size,
            placing: Placing::Given,
            weight: Weight::Regular,
            ..Labels::default()
        })
    };
    vec![
        Layer::Polygons(walls),
        Layer::Segments(Segments {
            segments: grid,
            colour: Rgb::hex(0xdfe3e8),
            width: 1.0,
            alpha: 1.0,
        }),
        Layer::Segments(Segments {
            segments: marks,
            colour: theme::AXIS,
            width: 1.2,
            alpha: 1.0,
        }),
        labels(theme::SOFT, theme::TICK_SIZE - 1.0),
        labels(theme::INK, theme::LABEL_SIZE),
    ]
}

/// Half the width and height of a tick's label in units of the plot's axes.
fn half_extent(label: &str) -> [f64; 2] {
    let unit = SIZE / WIDTH;
    let width = text_width(label, theme::TICK_SIZE - 1.0, Weight::Regular);
    [0.5 * width / unit, 0.5 * theme::TICK_SIZE / unit]
}

/// A point of the edge along `axis` that bounds the picture of the box: it touches one far and one
/// near wall. Of the two, the lower one; for the vertical axis, the left one.
fn outer_edge(axis: usize, far: [f64; 3], camera: Camera) -> Option<[f64; 3]> {
    let (u, v) = ((axis + 1) % 3, (axis + 2) % 3);
    let edge = |a: f64, b: f64| {
        let mut point = [0.0; 3];
        (point[u], point[v]) = (a, b);
        point
    };
    let rank = |point: &[f64; 3]| {
        let [right, up, _] = camera.project(*point);
        if axis == 2 { right } else { up }
    };
    [edge(far[u], -far[v]), edge(-far[u], far[v])]
        .into_iter()
        .min_by(|a, b| rank(a).total_cmp(&rank(b)))
}
