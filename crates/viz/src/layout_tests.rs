//! What holds for every figure: no text leaves the canvas, panels are aligned, pixels repeat.

use proptest::prelude::*;

use crate::charts::{
    BarChart, BarSeries, Camera, ClassScatter, DensityMap, Histogram, HistogramSeries, LabelledMap,
    LineChart, Posteriors, RegionMap, Scatter3d, Series, SettingCell, SettingChart, SettingSeries,
    Settings, Strip, StripChart, Surface3d, Trajectories, marks,
};
use crate::{
    Axis, Field, Figure, GrayImage, Grid, Panel, Plot, Rgb, Scale, TilePanel, montage,
    montage_with_borders,
};

fn names() -> Vec<String> {
    [
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ]
    .map(String::from)
    .to_vec()
}

fn ring(count: usize, radius: f64) -> (Vec<[f64; 2]>, Vec<u32>) {
    (0..count)
        .map(|i| {
            // Rational points of the circle: no sine whose last digit may differ.
            let t = (i % 17) as f64 / 8.0 - 1.0;
            let (x, y) = ((1.0 - t * t) / (1.0 + t * t), 2.0 * t / (1.0 + t * t));
            ([radius * x, radius * y], (i % 10) as u32)
        })
        .unzip()
}

/// One plot of each chart, with names and numbers as wide as they come.
pub(crate) fn every_plot() -> Vec<Plot> {
    let names = names();
    let (points, classes) = ring(200, 12_345.6);
    let (small, small_classes) = ring(10, 1.5);
    let field = Field::sample(9, 9, [-3.0, 3.0], [-3.0, 3.0], |[x, y]| -1e-3 * (x * x + y));
    let image = GrayImage::new(84, 84, 30);
    let long = "a rather long name of an axis, nats per image and dimension";
    let series = [Series {
        name: "784-256-32-8-2, a long name, test".into(),
        points: vec![[0.0, 1e-5], [60_000.0, 123_456.0]],
        band: vec![[0.0, 0.0, 2.0], [60_000.0, 1e5, 2e5]],
        ..Series::default()
    }];
    let cube: Vec<[f64; 3]> = small.iter().map(|p| [p[0], p[1], p[0] * p[1]]).collect();
    let paths: Vec<Vec<[f64; 2]>> = small
        .iter()
        .map(|p| vec![[0.0, 0.0], [0.5 * p[0], p[1]], *p])
        .collect();
    let mut marked = LineChart {
        series: &series,
        ..LineChart::default()
    }
    .plot();
    marked.layers.extend(marks(
        &[
            ([0.0, 0.0], "the very first".into()),
            ([6e4, 1e5], "the very last".into()),
        ],
        Rgb::BLACK,
    ));
    vec![
        ClassScatter {
            title: long,
            points: &points,
            classes: (&classes).into(),
            class_names: &names,
            prior: true,
            ..ClassScatter::default()
        }
        .plot()
        .unwrap(),
        marked,
        LineChart {
            title: "Logarithmic",
            y_label: long,
            series: &series,
            y_scale: Scale::Log10,
            ..LineChart::default()
        }
        .plot(),
        BarChart {
            title: long,
            x_label: long,
            y_label: "Var μ",
            categories: &names,
            series: &[BarSeries {
                name: "variance".into(),
                values: (0..10).map(|i| 10f64.powi(-i)).collect(),
                ..BarSeries::default()
            }],
            scale: Scale::Log10,
            threshold: Some((0.01, "active above 0.01")),
        }
        .plot()
        .unwrap(),
        Histogram {
            x_label: "z₁",
            series: &[HistogramSeries {
                name: "codes".into(),
                values: points.iter().map(|p| p[0]).collect(),
                ..HistogramSeries::default()
            }],
            standard_normal: true,
            ..Histogram::default()
        }
        .plot(),
        SettingChart {
            title: long,
            x_label: long,
            y_label: long,
            settings: Settings::Names(&names),
            series: &[SettingSeries {
                name: long.into(),
                cells: (0..10)
                    .map(|i| SettingCell {
                        values: vec![1e4 * f64::from(i), 1e5],
                        interval: Some([5e4, -1e5, 2e5]),
                    })
                    .collect(),
                ..SettingSeries::default()
            }],
            rules: &[(1e5, long.to_string())],
            ..SettingChart::default()
        }
        .plot()
        .unwrap(),
        StripChart {
            label: long,
            strips: &[Strip {
                name: long.into(),
                values: vec![-1.0, 12_000.0],
                interval: Some([5.0, -100.0, 200.0]),
                colour: None,
            }],
            rules: &[(11_999.0, "floor of the entropy".into())],
            ..StripChart::default()
        }
        .plot(),
        SettingChart {
            x_label: "latents",
            y_label: long,
            settings: Settings::Numbers(&[16.0, 2.0]),
            series: &[SettingSeries {
                name: "deep".into(),
                cells: [[9.0, 8.0, 11.0], [1.0, 0.5, 1.5]]
                    .map(|interval| SettingCell {
                        values: Vec::new(),
                        interval: Some(interval),
                    })
                    .to_vec(),
                ..SettingSeries::default()
            }],
            x_scale: Scale::Log10,
            ..SettingChart::default()
        }
        .plot()
        .unwrap(),
        DensityMap {
            title: "Values",
            value_label: long,
            ..DensityMap::new(&field)
        }
        .plot(),
        Posteriors {
            means: &small,
            deviations: &[[0.2, 0.4]; 10],
            classes: (&small_classes).into(),
            class_names: &names,
            words: &names,
            aggregate: Some(&field),
            ..Posteriors::default()
        }
        .plot()
        .unwrap(),
        RegionMap {
            title: "Regions",
            columns: 3,
            rows: 3,
            x: [-4.0, 4.0],
            y: [-4.0, 4.0],
            classes: (&[0, 0, 1, 2, 2, 1, 9, 9, 9]).into(),
            confidences: &[],
            class_names: &names,
        }
        .plot()
        .unwrap(),
        LabelledMap {
            title: long,
            image: (&image).into(),
            first: &[-1.64, 0.0, 1.64],
            second: &[-4.0, 0.0, 4.0],
            labels: ["z₁", "z₂"],
            pixel: 0.5,
        }
        .plot(),
        Trajectories {
            title: "Epoch 0.25",
            paths: &paths,
            radii: &[0.3; 10],
            classes: (&small_classes).into(),
            class_names: &names,
            words: &names,
            ..Trajectories::default()
        }
        .plot()
        .unwrap(),
        Scatter3d {
            title: long,
            points: &cube,
            classes: (&small_classes).into(),
            class_names: &names,
            camera: Camera {
                azimuth: 200.0,
                elevation: 50.0,
            },
            ..Scatter3d::default()
        }
        .plot()
        .unwrap(),
        Surface3d {
            labels: ["z₁", "z₂", "density of the sum"],
            ..Surface3d::new(&field)
        }
        .plot(),
    ]
}

pub(crate) fn tile_panel() -> TilePanel {
    let grid = Grid {
        gutter: 2,
        background: 255,
        ..Grid::new(2, 10, 28, 28)
    };
    TilePanel {
        title: "A title that is longer than the tiles below it are wide, and then some more".into(),
        image: montage(&grid, &vec![90; 20 * 784]).unwrap().into(),
        grid,
        row_heads: vec!["input".into(), "reconstruction at the mean".into()],
        column_heads: names(),
        pixel: 0.5,
    }
}

fn assert_text_is_inside(figure: &Figure, what: &str) {
    let canvas = figure.draw();
    let (width, height) = canvas.pixel_size();
    let scale = canvas.scale();
    let [left, top, right, bottom] = canvas.text_bounds().unwrap_or([1.0, 1.0, 1.0, 1.0]);
    let inside = left >= 0.0
        && top >= 0.0
        && right * scale <= f64::from(width)
        && bottom * scale <= f64::from(height);
    assert!(
        inside,
        "{what}: text spans {left}, {top} to {right}, {bottom} of {width} × {height} pixels"
    );
}

#[test]
fn no_chart_loses_text() {
    for (index, plot) in every_plot().into_iter().enumerate() {
        for size in [plot.size, [120.0, 90.0]] {
            let figure = Figure {
                title: "A title of the figure that is wider than the smallest of its panels".into(),
                caption: "A caption. ".repeat(12),
                ..Figure::of(Plot {
                    size,
                    ..plot.clone()
                })
            };
            assert_text_is_inside(&figure, &format!("plot {index} at {size:?}"));
        }
    }
    assert_text_is_inside(&Figure::of(tile_panel()), "tiles");
}

#[test]
fn heads_of_columns_far_apart_lie_and_stay_inside() {
    let height = |heads: &[(usize, &str)]| {
        let mut panel = TilePanel {
            title: String::new(),
            row_heads: Vec::new(),
            column_heads: vec![String::new(); 10],
            ..tile_panel()
        };
        for &(column, head) in heads {
            panel.column_heads[column] = head.into();
        }
        let figure = Figure::of(panel);
        assert_text_is_inside(&figure, &format!("{heads:?}"));
        figure.draw().pixel_size().1
    };
    let short = height(&[(0, "a"), (1, "b")]);
    // Wider than a column, but not than the columns up to the next head.
    assert_eq!(height(&[(0, "T-shirt/top"), (9, "Ankle boot")]), short);
    assert_eq!(height(&[(4, "Ankle boot")]), short);
    assert!(height(&[(0, "T-shirt/top"), (1, "b"), (9, "Ankle boot")]) > short);
}

#[test]
fn no_grid_of_panels_loses_text() {
    let mut panels: Vec<Panel> = every_plot().into_iter().map(Panel::from).collect();
    panels.push(tile_panel().into());
    panels.push(Panel::Empty);
    let legend = every_plot()[0].legend.clone();
    let mut rows = Vec::new();
    while !panels.is_empty() {
        rows.push(panels.split_off(panels.len().saturating_sub(3)));
    }
    let figure = Figure {
        title: "All".into(),
        legend,
        scale: 1.0,
        ..Figure::grid(rows)
    };
    assert_text_is_inside(&figure, "all panels");
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 48,
        failure_persistence: None,
        rng_seed: proptest::test_runner::RngSeed::Fixed(11),
        ..ProptestConfig::default()
    })]
    #[test]
    fn no_words_or_ranges_lose_text(
        title in "[A-Za-zμσ₁ ]{0,90}",
        caption in "[a-z .]{0,300}",
        word in "[A-Za-z]{0,60}",
        label in "[A-Za-z, ]{0,70}",
        low in -1e6f64..1e6,
        span in 1e-6f64..1e7,
        width in 60.0f64..500.0,
        height in 40.0f64..400.0,
    ) {
        let plot = Plot {
            title: word.clone(),
            x: Axis::linear(label.clone(), low, low + span),
            y: Axis::linear(label, low, low + span),
            size: [width, height],
            ..Plot::default()
        };
        let figure = Figure { title: format!("{title} {word}"), caption, scale: 1.0, ..Figure::of(plot) };
        assert_text_is_inside(&figure, "random words");
    }
}

#[test]
fn the_data_of_stacked_panels_are_aligned() {
    // A frame's left edge is the first dark column of its middle row.
    let plot = |label: &str| Plot {
        y: Axis::linear(label, 0.0, 1.0),
        frame: crate::Frame::Closed,
        grid: [false, false],
        size: [100.0, 60.0],
        ..Plot::default()
    };
    let rows = vec![vec![plot("").into()], vec![plot("a name").into()]];
    let figure = Figure {
        scale: 1.0,
        ..Figure::grid(rows)
    };
    let image = figure.render();
    let axis = Rgb::hex(0x5d6570);
    let columns: Vec<usize> = (0..image.width())
        .filter(|&x| {
            (0..image.height())
                .filter(|&y| image.get(x, y) == axis)
                .count()
                >= 118
        })
        .collect();
    assert_eq!(
        columns.len(),
        2,
        "a left and a right edge shared by both: {columns:?}"
    );
    assert_eq!(columns[1] - columns[0], 101);
}

#[test]
fn a_labelled_map_shows_its_pixels_unchanged() {
    let mut image = GrayImage::new(6, 6, 0);
    for y in 0..6 {
        for x in 0..6 {
            image.set(x, y, (40 + 30 * x + 5 * y) as u8);
        }
    }
    let plot = LabelledMap {
        title: "",
        image: (&image).into(),
        first: &[-1.0, 1.0],
        second: &[-1.0, 1.0],
        labels: ["", ""],
        pixel: 1.5,
    }
    .plot();
    let figure = Figure {
        scale: 2.0,
        ..Figure::of(plot)
    }
    .render();
    // Each pixel must appear as an exact 3 × 3 square, in order.
    let first = (0..figure.height())
        .flat_map(|y| (0..figure.width()).map(move |x| (x, y)))
        .find(|&(x, y)| {
            (0..18).all(|v| {
                (0..18).all(|u| {
                    let wanted = image.get(u / 3, v / 3);
                    x + u < figure.width()
                        && y + v < figure.height()
                        && figure.get(x + u, y + v) == Rgb(wanted, wanted, wanted)
                })
            })
        });
    assert!(first.is_some());
}

/// FNV-1a over the pixels.
fn hash(pixels: &[u8]) -> u64 {
    pixels.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

// Pixels of antialiased shapes rest on f32 arithmetic that another
// architecture may round differently; integers below do not.
#[cfg(target_arch = "x86_64")]
#[test]
fn golden_charts_keep_their_pixels() {
    let (points, classes) = ring(60, 1.0);
    let names = names();
    let mut scatter = ClassScatter {
        title: "Codes",
        points: &points,
        classes: (&classes).into(),
        class_names: &names,
        ..ClassScatter::default()
    }
    .plot()
    .unwrap();
    scatter.size = [120.0, 120.0];
    let mut lines = LineChart {
        y_label: "nats",
        series: &[Series {
            name: "test".into(),
            points: vec![[0.0, 3.0], [1.0, 2.0], [4.0, 1.5]],
            band: vec![[0.0, 2.5, 3.5], [4.0, 1.25, 1.75]],
            ..Series::default()
        }],
        ..LineChart::default()
    }
    .plot();
    lines.size = [120.0, 80.0];
    let found: Vec<(usize, usize, u64)> = [scatter, lines]
        .into_iter()
        .map(|plot| {
            let image = Figure {
                title: "Golden".into(),
                caption: "Pixels as they were looked at.".into(),
                scale: 1.0,
                ..Figure::of(plot)
            }
            .render();
            (image.width(), image.height(), hash(image.pixels()))
        })
        .collect();
    assert_eq!(found, GOLDEN_CHARTS);
}

#[cfg(target_arch = "x86_64")]
const GOLDEN_CHARTS: [(usize, usize, u64); 2] = [
    (322, 327, 1_477_046_474_595_038_141),
    (300, 234, 12_829_525_806_792_588_335),
];

#[test]
fn golden_montages_keep_their_pixels() {
    let grid = Grid {
        scale: 2,
        gutter: 2,
        margin: 3,
        background: 200,
        ..Grid::new(2, 3, 4, 5)
    };
    let tiles: Vec<u8> = (0..6 * 20).map(|i| (i * 2) as u8).collect();
    let grey = montage(&grid, &tiles).unwrap();
    let framed = montage_with_borders(&grid, &tiles, 2, &[None, Some(Rgb(189, 31, 1))]).unwrap();
    assert_eq!(
        [hash(grey.pixels()), hash(framed.pixels())],
        GOLDEN_MONTAGES
    );
}

const GOLDEN_MONTAGES: [u64; 2] = [12_140_678_898_387_834_789, 2_034_455_299_910_655_853];
