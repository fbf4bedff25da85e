use crate::charts::class_scatter::{check_classes, class_legend};
use crate::charts::space_box::{box_layers, space_plot};
use crate::{Axis, Classes, ColourMap, Field, Layer, Plot, Point, Points, Polygon, Rgb, VizError};

/// A parallel projection of the box around the data.
///
/// Azimuth 0 looks along the second axis; growing azimuth walks around the box counter-clockwise
/// seen from above. Elevation 0 looks horizontally, 90 from straight above. Degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Camera {
    /// Angle about the vertical axis.
    pub azimuth: f64,
    /// Angle above the horizontal plane.
    pub elevation: f64,
}

impl Default for Camera {
    fn default() -> Camera {
        Camera {
            azimuth: 30.0,
            elevation: 22.0,
        }
    }
}

impl Camera {
    /// Right, up and depth (towards the viewer) of a point of the box [−1, 1]³.
    ///
    /// ```
    /// let [right, up, depth] = viz::charts::Camera { azimuth: 0.0, elevation: 0.0 }.project([1.0, 0.5, 0.25]);
    /// assert_eq!((right, up), (1.0, 0.25));
    /// assert_eq!(depth, -0.5);
    /// ```
    pub fn project(&self, [x, y, z]: [f64; 3]) -> [f64; 3] {
        let (sin, cos) = self.azimuth.to_radians().sin_cos();
        let (right, away) = (x * cos + y * sin, -x * sin + y * cos);
        let (sin, cos) = self.elevation.to_radians().sin_cos();
        [right, z * cos + away * sin, z * sin - away * cos]
    }
}

/// Codes in three dimensions coloured by class, seen by a camera; far points are paler.
#[derive(Clone, Debug)]
pub struct Scatter3d<'a> {
    /// Title of the panel.
    pub title: &'a str,
    /// Codes.
    pub points: &'a [[f64; 3]],
    /// Class of each code; or none.
    pub classes: Classes<'a>,
    /// Names of the classes for the legend; empty for no legend.
    pub class_names: &'a [String],
    /// Names of the axes.
    pub labels: [&'a str; 3],
    /// Ranges of the axes; without them, the extent of the codes. A unit keeps its length on all
    /// axes when the ranges have equal lengths.
    pub ranges: Option<[[f64; 2]; 3]>,
    /// The view.
    pub camera: Camera,
    /// Opacity of the points.
    pub alpha: f64,
    /// Radius of a point, canvas units.
    pub radius: f64,
}

impl Default for Scatter3d<'_> {
    fn default() -> Self {
        Scatter3d {
            title: "",
            points: &[],
            classes: Classes::None,
            class_names: &[],
            labels: ["z₁", "z₂", "z₃"],
            ranges: None,
            camera: Camera::default(),
            alpha: 0.6,
            radius: 1.8,
        }
    }
}

impl Scatter3d<'_> {
    /// The chart.
    ///
    /// # Errors
    ///
    /// [`VizError::Shape`] when codes and classes differ in number.
    pub fn plot(&self) -> Result<Plot, VizError> {
        check_classes("classes of a scatter", self.classes, self.points.len())?;
        let axes = [0, 1, 2].map(|axis| match self.ranges {
            Some(ranges) => Axis::linear(self.labels[axis], ranges[axis][0], ranges[axis][1]),
            None => {
                let values = self.points.iter().map(|p| p[axis]);
                Axis::fit(self.labels[axis], crate::Scale::Linear, values, 0.03)
            }
        });
        let mut seen: Vec<([f64; 3], Rgb, usize)> = self
            .points
            .iter()
            .enumerate()
            .map(|(index, &point)| {
                let unit = [0, 1, 2].map(|i| 2.0 * axes[i].fraction(point[i]) - 1.0);
                let [right, up, depth] = self.camera.project(unit);
                // The box reaches √3 from its middle.
                let far = (0.5 - depth / (2.0 * 3f64.sqrt())).clamp(0.0, 1.0);
                let colour = self.classes.colour(index).mix(Rgb::WHITE, 0.6 * far);
                ([right, up, depth], colour, index)
            })
            .collect();
        seen.sort_by(|a, b| a.0[2].total_cmp(&b.0[2]));
        let marks = self.classes.marks();
        let mut layers = box_layers(&axes, self.camera);
        layers.insert(
            2,
            Layer::Points(Points {
                shapes: seen
                    .iter()
                    .filter_map(|&(_, _, index)| marks.get(index).copied())
                    .collect(),
                points: seen
                    .into_iter()
                    .map(|([right, up, _], colour, _)| Point {
                        at: [right, up],
                        colour,
                    })
                    .collect(),
                radius: self.radius,
                alpha: self.alpha,
                ..Points::default()
            }),
        );
        Ok(Plot {
            title: self.title.to_string(),
            legend: class_legend(self.class_names, self.classes),
            ..space_plot(layers, self.camera)
        })
    }
}

/// Values over the plane as a surface seen by a camera: densities as hills.
#[derive(Clone, Debug)]
pub struct Surface3d<'a> {
    /// Title of the panel.
    pub title: &'a str,
    /// The values.
    pub field: &'a Field,
    /// Names of the axes, the last one of the values.
    pub labels: [&'a str; 3],
    /// The view.
    pub camera: Camera,
    /// Colours of the values.
    pub map: ColourMap,
}

impl<'a> Surface3d<'a> {
    /// A viridis surface.
    pub fn new(field: &'a Field) -> Surface3d<'a> {
        Surface3d {
            title: "",
            field,
            labels: ["z₁", "z₂", "density"],
            camera: Camera {
                azimuth: 30.0,
                elevation: 34.0,
            },
            map: ColourMap::Viridis,
        }
    }

    /// The chart.
    pub fn plot(&self) -> Plot {
        let field = self.field;
        let limits = field.limits();
        let low = limits[0].min(0.0);
        let top = if limits[1] > low {
            limits[1]
        } else {
            low + 1.0
        };
        let axes = [
            Axis::linear(self.labels[0], field.x[0], field.x[1]),
            Axis::linear(self.labels[1], field.y[0], field.y[1]),
            Axis::linear(self.labels[2], low, top),
        ];
        let unit = |column: usize, row: usize| {
            let [x, y] = field.position(column, row);
            let value = field.value(column, row);
            [
                2.0 * axes[0].fraction(x) - 1.0,
                2.0 * axes[1].fraction(y) - 1.0,
                2.0 * axes[2].fraction(value) - 1.0,
            ]
        };
        let mut faces: Vec<(f64, Polygon)> = Vec::new();
        for row in 0..field.rows - 1 {
            for column in 0..field.columns - 1 {
                let corners = [
                    unit(column, row),
                    unit(column + 1, row),
                    unit(column + 1, row + 1),
                    unit(column, row + 1),
                ];
                if corners.iter().flatten().any(|v| !v.is_finite()) {
                    continue;
                }
                let seen = corners.map(|corner| self.camera.project(corner));
                // Parallel projection: order by the foot of a face is exact for a height field.
                let depth = corners
                    .iter()
                    .map(|c| self.camera.project([c[0], c[1], 0.0])[2])
                    .sum::<f64>();
                let height = 0.125 * corners.iter().map(|c| c[2] + 1.0).sum::<f64>();
                let colour = shade(self.map.at(height), &corners);
                faces.push((
                    depth,
                    Polygon {
                        corners: seen.iter().map(|p| [p[0], p[1]]).collect(),
                        colour,
                        alpha: 1.0,
                        // Closes the hairline between neighbours.
                        edge: Some((colour, 0.6)),
                    },
                ));
            }
        }
        faces.extend(self.sides(&unit));
        faces.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut layers = box_layers(&axes, self.camera);
        let faces = faces.into_iter().map(|(_, polygon)| polygon).collect();
        layers.insert(2, Layer::Polygons(faces));
        Plot {
            title: self.title.to_string(),
            ..space_plot(layers, self.camera)
        }
    }

    /// Walls from the floor to the surface's edges, with their depths: where
    /// the surface does not end on the floor, there is no looking below it.
    fn sides(&self, unit: &dyn Fn(usize, usize) -> [f64; 3]) -> Vec<(f64, Polygon)> {
        let (last_column, last_row) = (self.field.columns - 1, self.field.rows - 1);
        let along_rows = (0..last_row).flat_map(|row| {
            [0, last_column].map(|column| [unit(column, row), unit(column, row + 1)])
        });
        let along_columns = (0..last_column)
            .flat_map(|column| [0, last_row].map(|row| [unit(column, row), unit(column + 1, row)]));
        along_rows
            .chain(along_columns)
            .filter(|edge| edge.iter().flatten().all(|v| v.is_finite()))
            .map(|[a, b]| {
                let floor = |[x, y, _]: [f64; 3]| [x, y, -1.0];
                let corners = [a, b, floor(b), floor(a)].map(|corner| self.camera.project(corner));
                let foot = |[x, y, _]: [f64; 3]| self.camera.project([x, y, 0.0])[2];
                let colour = self
                    .map
                    .at(0.25 * (a[2] + b[2] + 2.0))
                    .mix(Rgb::BLACK, 0.15);
                let polygon = Polygon {
                    corners: corners.iter().map(|p| [p[0], p[1]]).collect(),
                    colour,
                    alpha: 1.0,
                    edge: Some((colour, 0.6)),
                };
                // As much as a face of four corners there.
                (2.0 * (foot(a) + foot(b)), polygon)
            })
            .collect()
    }
}

/// Lambert shading of a face by light from the upper left front, kept weak so that colours stay
/// those of the heights.
fn shade(colour: Rgb, corners: &[[f64; 3]; 4]) -> Rgb {
    let a = [0, 1, 2].map(|i| corners[1][i] - corners[3][i]);
    let b = [0, 1, 2].map(|i| corners[0][i] - corners[2][i]);
    let normal = [
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    ];
    let light = [-0.45, -0.35, 0.82];
    let length = normal.iter().map(|n| n * n).sum::<f64>().sqrt();
    let cosine = (0..3).map(|i| normal[i] * light[i]).sum::<f64>() / length.max(1e-12);
    let brightness = 0.5 * (cosine - 0.75);
    if brightness > 0.0 {
        colour.mix(Rgb::WHITE, brightness)
    } else {
        colour.mix(Rgb::BLACK, -0.8 * brightness)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::class_colour;

    #[test]
    fn projections_keep_lengths_and_turn_with_the_azimuth() {
        for azimuth in [0.0, 37.0, 123.0, 300.0] {
            for elevation in [-20.0, 0.0, 45.0, 90.0] {
                let camera = Camera { azimuth, elevation };
                let p = camera.project([0.3, -0.8, 0.5]);
                let length: f64 = p.iter().map(|v| v * v).sum();
                assert!((length - 0.98).abs() < 1e-12);
            }
        }
        // From straight above, the first two axes keep their places.
        let above = Camera {
            azimuth: 0.0,
            elevation: 90.0,
        }
        .project([0.3, 0.6, 0.9]);
        assert!((above[0] - 0.3).abs() < 1e-12 && (above[1] - 0.6).abs() < 1e-12);
    }

    #[test]
    fn near_points_are_drawn_last() {
        let plot = Scatter3d {
            points: &[[0.5, 0.0, 0.5], [0.5, 1.0, 0.5]],
            classes: (&[0, 2]).into(),
            ranges: Some([[0.0, 1.0]; 3]),
            camera: Camera {
                azimuth: 0.0,
                elevation: 0.0,
            },
            ..Scatter3d::default()
        }
        .plot()
        .unwrap();
        let Layer::Points(points) = &plot.layers[2] else {
            panic!("the data follow the walls and the grid");
        };
        // The second point is behind the first, so it comes first and is paler.
        assert_ne!(points.points[0].colour, class_colour(2));
        let Rgb(r, ..) = points.points[1].colour;
        assert!(r < 150);
        let wrong = Scatter3d {
            points: &[[0.0; 3]],
            classes: (&[0, 1]).into(),
            ..Scatter3d::default()
        };
        assert!(wrong.plot().is_err());
    }
}
