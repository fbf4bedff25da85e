//! Every chart with data that has nothing, one thing, or things that cannot be drawn: a picture
//! comes out, of a size that can be looked at.

use crate::charts::{
    BarChart, BarSeries, ClassScatter, DensityMap, Histogram, HistogramSeries, LabelledMap,
    LineChart, Posteriors, RegionMap, Scatter3d, Series, SettingCell, SettingChart, SettingSeries,
    Settings, Strip, StripChart, Surface3d, Trajectories, extent, marks,
};
use crate::{
    Aspect, CLASS_COLOURS, Classes, Field, Figure, Frame, GrayImage, LegendAt, Plot, Rgb, RgbImage,
    Scale, class_colour, class_mark,
};

/// Values that charts have met or will meet.
pub(crate) fn cases() -> Vec<(&'static str, Vec<f64>)> {
    let (nan, inf) = (f64::NAN, f64::INFINITY);
    vec![
        ("nothing", vec![]),
        ("one value", vec![3.5]),
        ("zero", vec![0.0]),
        ("equal values", vec![-7.25; 12]),
        ("equal but for rounding", vec![0.1 + 0.2, 0.3, 0.3]),
        ("only NaN", vec![nan; 5]),
        ("only infinities", vec![inf, -inf, inf]),
        (
            "gaps among values",
            vec![1.0, nan, 2.0, inf, 3.0, -inf, nan, 0.5],
        ),
        ("the largest numbers", vec![f64::MAX, f64::MIN, 0.0]),
        ("equal huge values", vec![1e308; 3]),
        (
            "neighbours of a huge value",
            vec![1e300, 1e300 * (1.0 + 3e-16)],
        ),
        ("the smallest numbers", vec![5e-324, 0.0, 1e-310]),
        ("many orders", vec![1e-300, 1e-9, 1.0, 1e200]),
    ]
}

/// Every chart of the values, named.
pub(crate) fn every_chart(values: &[f64]) -> Vec<(&'static str, Plot)> {
    let plane: Vec<[f64; 2]> = values.iter().map(|&v| [v, 1.0 - v]).collect();
    let space: Vec<[f64; 3]> = values.iter().map(|&v| [v, -v, 0.5]).collect();
    let classes: Vec<u32> = (0..values.len() as u32).map(|i| i * 40).collect();
    let names: Vec<String> = (0..600).map(|i| format!("class {i}")).collect();
    let words: Vec<String> = values.iter().map(|v| format!("{v}")).collect();
    let square = if values.is_empty() {
        vec![f64::NAN]
    } else {
        values.to_vec()
    };
    let lattice: Vec<f64> = square.iter().copied().cycle().take(9).collect();
    let low = square[0];
    let high = square[square.len() - 1];
    let fields = [
        Field::new(3, 3, [0.0, 1.0], [0.0, 1.0], lattice.clone()).unwrap(),
        Field::new(3, 3, [low, high], [high, low], lattice.clone()).unwrap(),
    ];
    let mut plots = Vec::new();
    for scale in [Scale::Linear, Scale::Log10] {
        let series = [
            Series::default(),
            Series {
                name: "values".into(),
                points: plane.clone(),
                band: values.iter().map(|&v| [v, v - 1.0, v + 1.0]).collect(),
                ..Series::default()
            },
        ];
        for y_range in [None, Some([low, high])] {
            let chart = LineChart {
                series: &series,
                x_scale: scale,
                y_scale: scale,
                y_range,
                ..LineChart::default()
            };
            plots.push(("line chart", chart.plot()));
        }
        let bars = BarChart {
            categories: &words,
            series: &[BarSeries {
                values: values.to_vec(),
                ..BarSeries::default()
            }],
            scale,
            threshold: Some((low, "threshold")),
            ..BarChart::default()
        };
        plots.push(("bar chart", bars.plot().unwrap()));
        let cells = [
            SettingSeries {
                cells: vec![SettingCell::default(); values.len()],
                ..SettingSeries::default()
            },
            SettingSeries {
                name: "values".into(),
                cells: values
                    .iter()
                    .map(|&v| SettingCell {
                        values: vec![v, -v],
                        interval: Some([v, low, high]),
                    })
                    .collect(),
                colour: None,
            },
        ];
        for settings in [Settings::Numbers(values), Settings::Names(&words)] {
            let chart = SettingChart {
                settings,
                series: &cells,
                x_scale: scale,
                y_scale: scale,
                rules: &[(low, "rule".to_string())],
                ..SettingChart::default()
            };
            plots.push(("setting chart", chart.plot().unwrap()));
        }
        let strips = [
            Strip::default(),
            Strip {
                values: values.to_vec(),
                interval: Some([low, low, high]),
                ..Strip::default()
            },
        ];
        for strips in [&strips[..], &[]] {
            let rules = [(high, "rule".to_string())];
            let chart = StripChart {
                strips,
                scale,
                rules: &rules,
                ..StripChart::default()
            };
            plots.push(("strip chart", chart.plot()));
        }
    }
    for range in [None, Some([low, high]), Some([1.0, 1.0])] {
        let series = [HistogramSeries {
            values: values.to_vec(),
            ..HistogramSeries::default()
        }];
        let chart = Histogram {
            series: &series,
            range,
            standard_normal: true,
            ..Histogram::default()
        };
        plots.push(("histogram", chart.plot()));
    }
    for field in &fields {
        for smooth in [true, false] {
            plots.push((
                "density map",
                DensityMap {
                    smooth,
                    ..DensityMap::new(field)
                }
                .plot(),
            ));
        }
        plots.push(("surface", Surface3d::new(field).plot()));
    }
    for classes in [Classes::None, (&classes).into()] {
        for ranges in [None, Some([[low, high]; 2])] {
            let mut plot = ClassScatter {
                points: &plane,
                classes,
                class_names: &names,
                ranges,
                prior: true,
                ..ClassScatter::default()
            }
            .plot()
            .unwrap();
            plot.layers
                .push(extent([low, high], [high, low], Rgb::BLACK));
            plot.layers
                .extend(marks(&[([low, high], "here".into())], Rgb::BLACK));
            plots.push(("scatter", plot));
            let posteriors = Posteriors {
                means: &plane,
                deviations: &plane,
                classes,
                class_names: &names,
                words: &words,
                aggregate: Some(&fields[1]),
                ranges,
                ..Posteriors::default()
            };
            plots.push(("posteriors", posteriors.plot().unwrap()));
            let paths: Vec<Vec<[f64; 2]>> = (0..values.len())
                .map(|end| plane[end..].to_vec())
                .chain([vec![]])
                .collect();
            let ends: Vec<u32> = classes_of(classes, paths.len());
            let trajectories = Trajectories {
                paths: &paths,
                radii: &vec![low; paths.len()],
                classes: if classes == Classes::None {
                    classes
                } else {
                    (&ends).into()
                },
                class_names: &names,
                ranges,
                ..Trajectories::default()
            };
            plots.push(("trajectories", trajectories.plot().unwrap()));
        }
        for ranges in [None, Some([[low, high]; 3])] {
            let chart = Scatter3d {
                points: &space,
                classes,
                class_names: &names,
                ranges,
                ..Scatter3d::default()
            };
            plots.push(("scatter in space", chart.plot().unwrap()));
        }
    }
    let regions = RegionMap {
        title: "",
        columns: 3,
        rows: 3,
        x: [low, high],
        y: [low, high],
        classes: (&[0, 1, 2, 3, 4, 5, 6, 7, 8]).into(),
        confidences: &lattice,
        class_names: &names,
    };
    plots.push(("region map", regions.plot().unwrap()));
    for (width, height) in [(0, 0), (1, 1), (30, 40)] {
        let (grey, colour) = (
            GrayImage::new(width, height, 90),
            RgbImage::new(width, height, Rgb(1, 2, 3)),
        );
        for image in [(&grey).into(), (&colour).into()] {
            let map = LabelledMap {
                title: "",
                image,
                first: values,
                second: &[low, high],
                labels: ["", ""],
                pixel: 1.0,
            };
            plots.push(("labelled map", map.plot()));
        }
    }
    plots
}

/// A class for each of `count` paths, as `classes` has them.
fn classes_of(classes: Classes<'_>, count: usize) -> Vec<u32> {
    (0..count)
        .map(|path| classes.get(path).unwrap_or(599) as u32)
        .collect()
}

#[test]
fn no_chart_fails_on_degenerate_values() {
    for (case, values) in cases() {
        for (chart, plot) in every_chart(&values) {
            let image = Figure {
                scale: 1.0,
                ..Figure::of(plot)
            }
            .render();
            let (width, height) = (image.width(), image.height());
            assert!(
                (50..1600).contains(&width) && (30..1600).contains(&height),
                "{chart} of {case}: {width} × {height}"
            );
        }
    }
}

#[test]
fn no_aspect_or_frame_fails_on_a_degenerate_axis() {
    for (_, values) in cases().into_iter().filter(|(_, values)| values.len() > 1) {
        for aspect in [Aspect::Free, Aspect::EqualSize, Aspect::EqualRange] {
            for frame in [Frame::Open, Frame::Closed, Frame::None] {
                let mut plot = Plot {
                    aspect,
                    frame,
                    ..Plot::default()
                };
                (plot.x.low, plot.x.high) = (values[0], values[1]);
                (plot.y.low, plot.y.high) = (values[1], values[0]);
                let image = Figure {
                    scale: 1.0,
                    ..Figure::of(plot)
                }
                .render();
                assert!(image.width() < 1600 && image.height() < 1600);
            }
        }
    }
}

#[test]
fn infinite_values_are_gaps_and_counted() {
    let ink = |points: &[[f64; 2]]| {
        let series = [Series {
            points: points.to_vec(),
            colour: Some(Rgb(200, 0, 0)),
            ..Series::default()
        }];
        let plot = LineChart {
            series: &series,
            x_label: "",
            ..LineChart::default()
        }
        .plot();
        let image = Figure::of(plot).render();
        image
            .pixels()
            .chunks_exact(3)
            .filter(|p| p[0] > 150 && p[1] < 60)
            .count()
    };
    let around = |value: f64| ink(&[[0.0, 1.0], [1.0, 0.0], [2.0, value], [3.0, 0.0], [4.0, 1.0]]);
    // Without the gap, the line would cross the axes on its way out and back.
    let gap = around(f64::NAN);
    assert!(gap > 1000 && gap < around(0.0));
    assert_eq!([around(f64::INFINITY), around(f64::NEG_INFINITY)], [gap; 2]);
    let points = [
        [0.0, f64::INFINITY],
        [1.0, 2.0],
        [f64::NAN, 1.0],
        [3.0, 3.0],
    ];
    let plot = ClassScatter {
        points: &points,
        ..ClassScatter::default()
    }
    .plot()
    .unwrap();
    assert_eq!(plot.left_out(), 2);
    let points = points.map(|[x, y]| [x, y, 0.0]);
    let plot = Scatter3d {
        points: &points,
        ..Scatter3d::default()
    }
    .plot()
    .unwrap();
    assert_eq!(plot.left_out(), 2);
}

#[test]
fn codes_without_classes_have_one_colour_and_no_legend() {
    let points: Vec<[f64; 2]> = (0..50)
        .map(|i| [f64::from(i % 7), f64::from(i % 5)])
        .collect();
    let names = ["unused".to_string()];
    let plot = ClassScatter {
        points: &points,
        class_names: &names,
        ..ClassScatter::default()
    }
    .plot()
    .unwrap();
    assert!(plot.legend.is_empty());
    let crate::Layer::Points(layer) = &plot.layers[0] else {
        panic!("the first layer holds the codes");
    };
    assert!(
        layer
            .points
            .iter()
            .all(|point| point.colour == class_colour(0))
    );
}

#[test]
fn legends_and_names_of_many_classes_stay_in_the_picture() {
    let strange = [
        "",
        "กรุงเทพมหานคร",
        "東京都",
        "🦊🦊",
        "a\u{301}\u{301}\u{301}",
        "\u{0}\n\t",
        "عربي",
    ];
    for count in [1usize, 10, 23, 62, 63, 66, 67, 300, 5000] {
        let names: Vec<String> = (0..count)
            .map(|i| match i % 9 {
                8 => "a very long name of a class ".repeat(20),
                at => format!("{} {i}", strange.get(at).unwrap_or(&"class")),
            })
            .collect();
        let classes: Vec<u32> = (0..4 * count as u32).map(|i| i / 4).collect();
        let points: Vec<[f64; 2]> = (0..classes.len())
            .map(|i| [(i as f64 * 0.618) % 1.0, (i as f64 * 0.414) % 1.0])
            .collect();
        let plot = ClassScatter {
            points: &points,
            classes: (&classes).into(),
            class_names: &names,
            ..ClassScatter::default()
        }
        .plot()
        .unwrap();
        let crate::Layer::Points(layer) = &plot.layers[0] else {
            panic!("the first layer holds the codes");
        };
        let last = layer.shapes.last().copied().unwrap_or_default();
        assert_eq!(last, class_mark(count - 1));
        assert_eq!(layer.shapes.is_empty(), count <= CLASS_COLOURS);
        for legend_at in [LegendAt::Right, LegendAt::TopLeft, LegendAt::BottomRight] {
            let figure = Figure {
                scale: 1.0,
                legend: plot.legend.clone(),
                ..Figure::of(Plot {
                    legend_at,
                    ..plot.clone()
                })
            };
            let canvas = figure.draw();
            let (width, height) = canvas.pixel_size();
            assert!(
                width < 1100 && height < 900,
                "{count} classes: {width} × {height}"
            );
            let [left, top, right, bottom] = canvas.text_bounds().unwrap();
            assert!(
                left >= 0.0
                    && top >= 0.0
                    && right <= f64::from(width)
                    && bottom <= f64::from(height),
                "{count} classes: text to {right}, {bottom} of {width} × {height}"
            );
        }
    }
}
