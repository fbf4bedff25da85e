use tiny_skia::PathBuilder;

use crate::axis::{Axis, Scale};
use crate::canvas::{Across, Along, Canvas, Pen, TextLook};
use crate::draw_labels::draw_labels;
use crate::font::{cap_height, shortened, text_width};
use crate::layer::{Band, Ellipses, Heat, Interval, Layer, Points, Polygon, Rule, Shape, Trail};
use crate::obstacles::{Area, Obstacles};
use crate::theme;
use crate::{Image, Rgb, RgbImage};

/// From data to canvas units inside of a plot's axes.
pub(crate) struct Mapping<'a> {
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
    pub(crate) x: &'a Axis,
    pub(crate) y: &'a Axis,
}

impl Mapping<'_> {
    fn at_x(&self, x: f64) -> f64 {
        self.left + place(self.x, x) * self.width
    }

    fn at_y(&self, y: f64) -> f64 {
        self.top + (1.0 - place(self.y, y)) * self.height
    }

    pub(crate) fn at(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        [self.at_x(x), self.at_y(y)]
    }

    pub(crate) fn contains(&self, [x, y]: [f64; 2]) -> bool {
        (self.left..=self.left + self.width).contains(&x)
            && (self.top..=self.top + self.height).contains(&y)
    }

    /// Moves the middle of a box so that the box lies inside of the axes, if it is small enough.
    pub(crate) fn keep_inside(&self, middle: &mut [f64; 2], half: [f64; 2]) {
        let low = [self.left + half[0], self.top + half[1]];
        let high = [
            self.left + self.width - half[0],
            self.top + self.height - half[1],
        ];
        for axis in 0..2 {
            middle[axis] = middle[axis].clamp(low[axis], high[axis].max(low[axis]));
        }
    }
}

/// Where a value lies on an axis: nowhere (NaN) if it is not finite.
fn place(axis: &Axis, value: f64) -> f64 {
    if !value.is_finite() {
        return f64::NAN;
    }
    // Far outside is clipped anyway; the bound keeps f32 paths exact enough.
    axis.fraction(value).clamp(-20.0, 21.0)
}

pub(crate) fn draw(
    canvas: &mut Canvas,
    map: &Mapping<'_>,
    layer: &Layer,
    obstacles: &mut Obstacles,
) {
    match layer {
        Layer::Points(points) => draw_points(canvas, map, points),
        Layer::Line(line) => {
            let points: Vec<_> = line.points.iter().map(|&p| map.at(p)).collect();
            canvas.polyline(
                &points,
                Pen {
                    colour: line.colour,
                    alpha: line.alpha,
                    width: line.width,
                    dash: line.dash.pattern(line.width),
                },
            );
        }
        Layer::Segments(segments) => {
            // One path, so that ends that meet do not darken each other.
            let mut path = PathBuilder::new();
            for [a, b] in &segments.segments {
                let (a, b) = (map.at(*a), map.at(*b));
                if a.iter().chain(&b).all(|v| v.is_finite()) {
                    path.move_to(a[0] as f32, a[1] as f32);
                    path.line_to(b[0] as f32, b[1] as f32);
                }
            }
            if let Some(path) = path.finish() {
                canvas.stroke(
                    path,
                    Pen {
                        alpha: segments.alpha,
                        ..Pen::new(segments.colour, segments.width)
                    },
                );
            }
        }
        Layer::Band(band) => draw_band(canvas, map, band),
        Layer::Bars(bars) => {
            for bar in bars {
                let base = match (map.y.scale, bar.y[0] <= 0.0) {
                    (Scale::Log10, true) => map.y.low,
                    _ => bar.y[0],
                };
                let (left, right) = (map.at_x(bar.x[0]), map.at_x(bar.x[1]));
                let (bottom, top) = (map.at_y(base), map.at_y(bar.y[1]));
                if [left, right, bottom, top].iter().all(|v| v.is_finite()) {
                    canvas.rectangle(
                        left.min(right),
                        top.min(bottom),
                        (right - left).abs(),
                        (bottom - top).abs(),
                        bar.colour,
                        bar.alpha,
                    );
                }
            }
        }
        Layer::Ellipses(ellipses) => draw_ellipses(canvas, map, ellipses),
        Layer::Trails(trails) => {
            for trail in trails {
                draw_trail(canvas, map, trail);
            }
        }
        Layer::Image(placed) => {
            let (left, right) = (map.at_x(placed.x[0]), map.at_x(placed.x[1]));
            let (bottom, top) = (map.at_y(placed.y[0]), map.at_y(placed.y[1]));
            canvas.image(
                placed.image.as_ref(),
                left,
                top,
                right - left,
                bottom - top,
                placed.alpha,
            );
        }
        Layer::Heat(heat) => draw_heat(canvas, map, heat),
        Layer::Polygons(polygons) => {
            for polygon in polygons {
                draw_polygon(canvas, map, polygon);
            }
        }
        Layer::Intervals(layer) => {
            for interval in &layer.intervals {
                draw_interval(canvas, map, interval, layer.horizontal);
            }
        }
        Layer::Labels(labels) => draw_labels(canvas, map, labels, obstacles),
        Layer::Rule(rule) => draw_rule(canvas, map, rule, obstacles),
    }
}

fn draw_points(canvas: &mut Canvas, map: &Mapping<'_>, layer: &Points) {
    let mut order: Vec<usize> = (0..layer.points.len()).collect();
    if let Some(seed) = layer.shuffle {
        shuffle(&mut order, seed);
    }
    for index in order {
        let point = layer.points[index];
        let at = map.at(point.at);
        if !(at[0].is_finite() && at[1].is_finite()) {
            continue;
        }
        marker(
            canvas,
            at,
            layer.shapes.get(index).copied().unwrap_or(layer.shape),
            layer.radius,
            point.colour,
            layer.alpha,
            layer.rim,
        );
    }
}

pub(crate) fn marker(
    canvas: &mut Canvas,
    at: [f64; 2],
    shape: Shape,
    radius: f64,
    colour: Rgb,
    alpha: f64,
    rim: Option<Rgb>,
) {
    let [x, y] = at;
    let polygon = |corners: &[[f64; 2]]| -> Vec<[f64; 2]> {
        corners
            .iter()
            .map(|c| [x + radius * c[0], y + radius * c[1]])
            .collect()
    };
    let corners = match shape {
        Shape::Disc => {
            if let Some(rim) = rim {
                canvas.disc(at, radius + 1.0, rim, alpha);
            }
            canvas.disc(at, radius, colour, alpha);
            return;
        }
        Shape::Ring => {
            if let Some(path) = PathBuilder::from_circle(x as f32, y as f32, radius as f32) {
                if let Some(rim) = rim {
                    canvas.stroke(path.clone(), Pen::new(rim, 3.6));
                }
                canvas.stroke(
                    path,
                    Pen {
                        alpha,
                        ..Pen::new(colour, 1.8)
                    },
                );
            }
            return;
        }
        Shape::Cross => {
            for ends in [[[-0.8, -0.8], [0.8, 0.8]], [[-0.8, 0.8], [0.8, -0.8]]] {
                let ends = polygon(&ends);
                if let Some(rim) = rim {
                    canvas.polyline(&ends, Pen::new(rim, 0.5 * radius + 2.0));
                }
            }
            for ends in [[[-0.8, -0.8], [0.8, 0.8]], [[-0.8, 0.8], [0.8, -0.8]]] {
                let pen = Pen {
                    alpha,
                    ..Pen::new(colour, 0.5 * radius)
                };
                canvas.polyline(&polygon(&ends), pen);
            }
            return;
        }
        Shape::Square => polygon(&[[-0.88, -0.88], [0.88, -0.88], [0.88, 0.88], [-0.88, 0.88]]),
        Shape::Diamond => polygon(&[[0.0, -1.2], [1.2, 0.0], [0.0, 1.2], [-1.2, 0.0]]),
        Shape::Triangle => polygon(&[[0.0, -1.2], [1.05, 0.7], [-1.05, 0.7]]),
    };
    if let Some(rim) = rim {
        let mut closed = corners.clone();
        closed.extend_from_slice(&corners[..2]);
        canvas.polyline(&closed, Pen::new(rim, 2.0));
    }
    canvas.polygon(&corners, colour, alpha);
}

fn draw_band(canvas: &mut Canvas, map: &Mapping<'_>, band: &Band) {
    let finite: Vec<_> = band
        .points
        .iter()
        .filter(|p| p.iter().all(|v| v.is_finite()))
        .collect();
    let upper = finite.iter().map(|p| map.at([p[0], p[2]]));
    let lower = finite.iter().rev().map(|p| map.at([p[0], p[1]]));
    let outline: Vec<_> = upper.chain(lower).collect();
    canvas.polygon(&outline, band.colour, band.alpha);
}

fn draw_ellipses(canvas: &mut Canvas, map: &Mapping<'_>, layer: &Ellipses) {
    const CORNERS: usize = 96;
    for ellipse in &layer.ellipses {
        let (sin, cos) = ellipse.angle.sin_cos();
        let mut corners: Vec<[f64; 2]> = (0..CORNERS)
            .map(|i| {
                let turn = std::f64::consts::TAU * i as f64 / CORNERS as f64;
                let (u, v) = (ellipse.radii[0] * turn.cos(), ellipse.radii[1] * turn.sin());
                map.at([
                    ellipse.centre[0] + u * cos - v * sin,
                    ellipse.centre[1] + u * sin + v * cos,
                ])
            })
            .collect();
        if corners.iter().flatten().any(|v| !v.is_finite()) {
            continue;
        }
        if layer.fill > 0.0 {
            canvas.polygon(&corners, ellipse.colour, layer.fill);
        }
        if layer.edge > 0.0 {
            corners.push(corners[0]);
            corners.push(corners[1]);
            canvas.polyline(
                &corners,
                Pen {
                    colour: ellipse.colour,
                    alpha: layer.edge,
                    width: layer.width,
                    dash: layer.dash.pattern(layer.width),
                },
            );
        }
    }
}

fn draw_trail(canvas: &mut Canvas, map: &Mapping<'_>, trail: &Trail) {
    let points: Vec<_> = trail.points.iter().map(|&p| map.at(p)).collect();
    let pieces = points.len().saturating_sub(1);
    for (index, ends) in points.windows(2).enumerate() {
        if ends.iter().flatten().any(|v| !v.is_finite()) {
            continue;
        }
        let age = (index + 1) as f64 / pieces as f64;
        let alpha = trail.oldest + (1.0 - trail.oldest) * age * age;
        let width = trail.width * (0.4 + 0.6 * age);
        canvas.polyline(
            ends,
            Pen {
                alpha,
                ..Pen::new(trail.colour, width)
            },
        );
    }
}

fn draw_heat(canvas: &mut Canvas, map: &Mapping<'_>, heat: &Heat) {
    let field = &heat.field;
    let (mut x, mut y) = field.cell_edges();
    if heat.smooth {
        // What lies outside of the axes is not computed.
        x = [x[0].max(map.x.low), x[1].min(map.x.high)];
        y = [y[0].max(map.y.low), y[1].min(map.y.high)];
        if x[0] >= x[1] || y[0] >= y[1] {
            return;
        }
    }
    let (left, right) = (map.at_x(x[0]), map.at_x(x[1]));
    let (bottom, top) = (map.at_y(y[0]), map.at_y(y[1]));
    let colour = |value: f64| {
        let span = heat.limits[1] - heat.limits[0];
        heat.map.at(if span > 0.0 {
            (value - heat.limits[0]) / span
        } else {
            0.5 * value / value
        })
    };
    let (columns, rows) = if heat.smooth {
        let pixels = |length: f64| ((length * canvas.scale()).round().max(1.0)) as usize;
        (pixels(right - left), pixels(bottom - top))
    } else {
        (field.columns, field.rows)
    };
    let mut image = RgbImage::new(columns, rows, Rgb::WHITE);
    for row in 0..rows {
        for column in 0..columns {
            let value = if heat.smooth {
                let u = (column as f64 + 0.5) / columns as f64;
                let v = (row as f64 + 0.5) / rows as f64;
                field.at([x[0] + u * (x[1] - x[0]), y[1] - v * (y[1] - y[0])])
            } else {
                field.value(column, row)
            };
            image.set(column, row, colour(value));
        }
    }
    canvas.image(
        Image::Rgb(image).as_ref(),
        left,
        top,
        right - left,
        bottom - top,
        heat.alpha,
    );
}

fn draw_polygon(canvas: &mut Canvas, map: &Mapping<'_>, polygon: &Polygon) {
    let mut corners: Vec<_> = polygon.corners.iter().map(|&p| map.at(p)).collect();
    if corners.len() < 3 || corners.iter().flatten().any(|v| !v.is_finite()) {
        return;
    }
    canvas.polygon(&corners, polygon.colour, polygon.alpha);
    if let Some((colour, width)) = polygon.edge {
        corners.extend_from_within(..2);
        canvas.polyline(&corners, Pen::new(colour, width));
    }
}

fn draw_interval(canvas: &mut Canvas, map: &Mapping<'_>, interval: &Interval, horizontal: bool) {
    let place = |value: f64, side: f64| {
        if horizontal {
            [map.at_x(value), map.at_y(interval.at) + side]
        } else {
            [map.at_x(interval.at) + side, map.at_y(value)]
        }
    };
    let drawable = |value: f64| place(value, 0.0).iter().all(|v| v.is_finite());
    if drawable(interval.low) && drawable(interval.high) {
        let pen = Pen::new(interval.colour.darker(), 1.6);
        canvas.line(place(interval.low, 0.0), place(interval.high, 0.0), pen);
        for end in [interval.low, interval.high] {
            canvas.line(place(end, -4.5), place(end, 4.5), pen);
        }
    }
    if drawable(interval.mean) {
        let at = place(interval.mean, 0.0);
        canvas.disc(at, 3.8, interval.colour.darker(), 1.0);
    }
}

fn draw_rule(canvas: &mut Canvas, map: &Mapping<'_>, rule: &Rule, obstacles: &mut Obstacles) {
    if !rule.at.is_finite() {
        return;
    }
    let pen = Pen {
        dash: rule.dash.pattern(1.3),
        ..Pen::new(rule.colour, 1.3)
    };
    let ends = if rule.horizontal {
        let y = map.at_y(rule.at);
        [[map.left, y], [map.left + map.width, y]]
    } else {
        let x = map.at_x(rule.at);
        [[x, map.top], [x, map.top + map.height]]
    };
    canvas.line(ends[0], ends[1], pen);
    if rule.label.is_empty() {
        return;
    }
    let look = TextLook {
        halo: 2.0,
        ..TextLook::new(theme::LEGEND_SIZE, rule.colour.darker())
    };
    // A name wider than the plot would be cut at its beginning.
    let label = shortened(&rule.label, look.size, look.weight, map.width - 12.0);
    let size = [
        text_width(&label, look.size, look.weight),
        cap_height(look.size),
    ];
    let (places, across): (Vec<[f64; 2]>, Vec<Across>) = if rule.horizontal {
        beside_horizontal(map, ends[0][1], size)
    } else {
        beside_vertical(map, ends[0][0], size)
    }
    .into_iter()
    .unzip();
    // As high as letters with descenders, around the baseline's place.
    let areas: Vec<Area> = places
        .iter()
        .zip(&across)
        .map(|(&[x, y], across)| {
            let left = match across {
                Across::Right => x - size[0],
                _ => x,
            };
            [left, y - size[1], left + size[0], y + 3.0]
        })
        .collect();
    let best = obstacles.place(&areas, map);
    canvas.text(&label, places[best], across[best], Along::Baseline, look);
}

/// Where the name of a horizontal line may stand: above it and below it, from the right to the left.
fn beside_horizontal(
    map: &Mapping<'_>,
    y: f64,
    [width, height]: [f64; 2],
) -> Vec<([f64; 2], Across)> {
    let room = (map.width - 12.0 - width).max(0.0);
    [0.0, 1.0, 0.5, 0.25, 0.75]
        .into_iter()
        .flat_map(|share| {
            let right = map.left + map.width - 6.0 - share * room;
            [[right, y - 5.0], [right, y + 5.0 + height]]
        })
        .map(|place| (place, Across::Right))
        .collect()
}

/// Where the name of a vertical line may stand: right of it and left of it, from the top to the
/// bottom.
fn beside_vertical(map: &Mapping<'_>, x: f64, [_, height]: [f64; 2]) -> Vec<([f64; 2], Across)> {
    let room = (map.height - 12.0 - height).max(0.0);
    [0.0, 1.0, 0.5, 0.25, 0.75]
        .into_iter()
        .flat_map(|share| {
            let y = map.top + 6.0 + height + share * room;
            [([x + 5.0, y], Across::Left), ([x - 5.0, y], Across::Right)]
        })
        .collect()
}

/// Fisher–Yates with SplitMix64 (Steele, Lea and Flood 2014): an order that depends on the seed
/// alone.
pub(crate) fn shuffle(order: &mut [usize], seed: u64) {
    let mut state = seed;
    for last in (1..order.len()).rev() {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        let chosen = ((u128::from(mixed) * (last as u128 + 1)) >> 64) as usize;
        order.swap(last, chosen);
    }
}
