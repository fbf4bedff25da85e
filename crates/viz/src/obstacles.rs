//! What words in a plot should not cover, and where they cover the least of it.

use crate::draw_layer::Mapping;
use crate::layer::Layer;

/// A rectangle in canvas units: left, top, right, bottom.
pub(crate) type Area = [f64; 4];

/// The points, lines, bars and intervals of a plot, and the words that have their place already.
pub(crate) struct Obstacles {
    areas: Vec<Area>,
    words: Vec<Area>,
}

/// Paler points are ground that may be written on.
const PALE: f64 = 0.5;
/// Opacity of ellipses that are more than an outline.
const FILLED: f64 = 0.2;
/// Lines are known by places so far apart, canvas units.
const LINE_STEP: f64 = 4.0;
/// Longer lines are not looked at more closely than at so many places.
const LINE_PLACES: usize = 4000;

impl Obstacles {
    pub(crate) fn of(layers: &[Layer], map: &Mapping<'_>) -> Obstacles {
        let mut obstacles = Obstacles {
            areas: Vec::new(),
            words: Vec::new(),
        };
        for layer in layers {
            match layer {
                Layer::Points(points) if points.alpha >= PALE => {
                    for point in &points.points {
                        obstacles.add(map.at(point.at), points.radius);
                    }
                }
                Layer::Ellipses(ellipses) if ellipses.fill >= FILLED => {
                    for ellipse in &ellipses.ellipses {
                        // The middle, which is where they are told apart.
                        let [x, y] = map.at(ellipse.centre);
                        let end =
                            map.at([0, 1].map(|axis| ellipse.centre[axis] + ellipse.radii[axis]));
                        let half = 0.5 * (end[0] - x).abs().min((end[1] - y).abs());
                        obstacles.add([x, y], half.min(0.1 * map.width));
                    }
                }
                Layer::Line(line) => {
                    let at: Vec<[f64; 2]> = line.points.iter().map(|&p| map.at(p)).collect();
                    obstacles.add_line(&at, 0.5 * line.width);
                }
                Layer::Bars(bars) => {
                    for bar in bars {
                        let [x, y] =
                            [[bar.x[0], bar.y[0]], [bar.x[1], bar.y[1]]].map(|p| map.at(p));
                        let base = if x[1].is_finite() {
                            x[1]
                        } else {
                            map.top + map.height
                        };
                        let area = [
                            x[0].min(y[0]),
                            base.min(y[1]),
                            x[0].max(y[0]),
                            base.max(y[1]),
                        ];
                        obstacles.areas.push(area);
                    }
                }
                Layer::Intervals(layer) => {
                    for interval in &layer.intervals {
                        let ends = [interval.low, interval.high].map(|value| {
                            map.at(if layer.horizontal {
                                [value, interval.at]
                            } else {
                                [interval.at, value]
                            })
                        });
                        obstacles.add_line(&ends, 4.5);
                    }
                }
                _ => {}
            }
        }
        obstacles
    }

    fn add(&mut self, [x, y]: [f64; 2], half: f64) {
        if x.is_finite() && y.is_finite() {
            self.areas.push([x - half, y - half, x + half, y + half]);
        }
    }

    fn add_line(&mut self, points: &[[f64; 2]], half: f64) {
        let most = self.areas.len() + LINE_PLACES;
        // No gaps between the places.
        let half = half.max(0.5 * LINE_STEP);
        for ends in points.windows(2) {
            let [from, to] = [ends[0], ends[1]];
            if ends.iter().flatten().any(|v| !v.is_finite()) {
                continue;
            }
            let steps = ((to[0] - from[0]).hypot(to[1] - from[1]) / LINE_STEP).ceil();
            for step in 0..=steps.min(LINE_PLACES as f64) as usize {
                let share = step as f64 / steps.max(1.0);
                let at = [0, 1].map(|axis| from[axis] + share * (to[axis] - from[axis]));
                self.add(at, half);
                if self.areas.len() >= most {
                    return;
                }
            }
        }
    }

    /// The first of the `candidates` that covers the least: another word, or the outside of the
    /// axes, counts as much as everything else together. The place is taken from then on.
    pub(crate) fn place(&mut self, candidates: &[Area], map: &Mapping<'_>) -> usize {
        let cost = |area: &Area| {
            let meets = |other: &&Area| {
                area[0] < other[2] && other[0] < area[2] && area[1] < other[3] && other[1] < area[3]
            };
            let outside = area[0] < map.left
                || area[1] < map.top
                || area[2] > map.left + map.width
                || area[3] > map.top + map.height;
            let serious = self.words.iter().filter(meets).count() + usize::from(outside);
            (serious, self.areas.iter().filter(meets).count())
        };
        let best = (0..candidates.len()).min_by_key(|&index| cost(&candidates[index]));
        let best = best.unwrap_or(0);
        self.words.extend(candidates.get(best));
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Axis, Line, Point, Points, Rgb};

    #[test]
    fn words_go_where_nothing_is() {
        let (x, y) = (Axis::linear("", 0.0, 100.0), Axis::linear("", 0.0, 100.0));
        let map = Mapping {
            left: 0.0,
            top: 0.0,
            width: 100.0,
            height: 100.0,
            x: &x,
            y: &y,
        };
        let points = Points {
            points: [[20.0, 80.0], [f64::NAN, 0.0]]
                .map(|at| Point {
                    at,
                    colour: Rgb::BLACK,
                })
                .to_vec(),
            ..Points::default()
        };
        let line = Line {
            points: vec![[50.0, 0.0], [50.0, 100.0]],
            ..Line::default()
        };
        let layers = [Layer::Points(points), Layer::Line(line)];
        let mut obstacles = Obstacles::of(&layers, &map);
        // On the point, across the line between its ends, outside, free.
        let candidates = [
            [10.0, 15.0, 30.0, 25.0],
            [45.0, 42.0, 60.0, 44.0],
            [95.0, 60.0, 105.0, 70.0],
            [70.0, 60.0, 90.0, 70.0],
        ];
        assert_eq!(obstacles.place(&candidates, &map), 3);
        // Taken now: rather one point than another word.
        assert_eq!(obstacles.place(&candidates, &map), 0);
        assert_eq!(obstacles.place(&[], &map), 0);
    }
}
