use viz::charts::{ClassScatter, LabelledMap};
use viz::number::decimal;
use viz::{
    CLASS_COLOURS, Figure, Grid, LegendEntry, Panel, Swatch, TilePanel, TileShape, Tiles,
    class_colour, lattice, linspace,
};

use crate::synthetic::Normal;
use crate::{Done, Gallery};

pub(crate) fn draw(gallery: &Gallery) -> Done {
    images(gallery)?;
    coloured_map(gallery)?;
    lines(gallery)?;
    odd_lines(gallery)?;
    many_classes(gallery)
}

/// A coloured disc before a coloured ground with shading, depending on a code.
fn picture(side: usize, [a, b]: [f64; 2]) -> Vec<f32> {
    let wave = |phase: f64| 0.5 + 0.5 * phase.cos();
    let disc = [wave(a), wave(a + 2.1), wave(a + 4.2)];
    let mut values = Vec::with_capacity(3 * side * side);
    for y in 0..side {
        for x in 0..side {
            let [u, v] = [x, y].map(|p| 2.0 * (p as f64 + 0.5) / side as f64 - 1.0);
            let [du, dv] = [u - 0.4 * b.sin(), v + 0.3 * b.cos()];
            let inside = ((0.55 - du.hypot(dv)) * 8.0).clamp(0.0, 1.0);
            for colour in disc {
                let ground = 0.75 - 0.25 * v - 0.3 * colour;
                let lit = colour * (1.0 - 0.4 * (du + dv));
                values.push((ground + inside * (lit - ground)) as f32);
            }
        }
    }
    values
}

fn images(gallery: &Gallery) -> Done {
    let columns = 10;
    let colour = TileShape::Colour {
        height: 32,
        width: 32,
    };
    let code = |i: usize| [0.62 * i as f64, 0.9 * i as f64];
    let inputs = (0..columns).flat_map(|i| picture(32, code(i)));
    let outputs = (0..columns).flat_map(|i| picture(32, code(i).map(|c| 0.93 * c + 0.2)));
    let values: Vec<f32> = inputs.chain(outputs).collect();
    let grid = Grid::of_rows(colour, 2, columns, [1200, 600]);
    let rows = TilePanel {
        title: "32 × 32, colour".into(),
        row_heads: vec!["input".into(), "reconstruction".into()],
        ..TilePanel::new(&Tiles::new(colour, &values), &grid)?
    };

    let small = TileShape::Grey {
        height: 8,
        width: 8,
    };
    let values: Vec<u8> = (0..40 * 64)
        .map(|i| {
            let (tile, x, y) = (i / 64, (i % 8) as f64 - 3.5, (i / 8 % 8) as f64 - 3.5);
            let ring = x.hypot(1.0 + 0.1 * (tile % 5) as f64) + 0.6 * y.abs() - 2.6;
            (255.0 * (-0.5 * ring * ring).exp()) as u8
        })
        .collect();
    let grid = Grid::of_tiles(small, 40, [600, 600]);
    let small = TilePanel {
        title: "8 × 8, grey, enlarged".into(),
        ..TilePanel::new(&Tiles::new(small, &values), &grid)?
    };

    let wide = TileShape::Colour {
        height: 512,
        width: 512,
    };
    let grid = Grid::of_tiles(wide, 16, [700, 700]);
    let values: Vec<f32> = (0..16).flat_map(|i| picture(512, code(i))).collect();
    let wide = TilePanel {
        title: "512 × 512, colour, reduced".into(),
        ..TilePanel::new(&Tiles::new(wide, &values), &grid)?
    };
    let figure = Figure {
        title: "Images of other sizes".into(),
        ..Figure::of(rows)
    };
    gallery.save("tiles-colour", &figure)?;
    let figure = Figure {
        title: "Small and large images".into(),
        ..Figure::row(vec![small.into(), wide.into()])
    };
    gallery.save("tiles-sizes", &figure)
}

fn coloured_map(gallery: &Gallery) -> Done {
    let axis = linspace(13, -3.0, 3.0);
    let shape = TileShape::Colour {
        height: 48,
        width: 48,
    };
    let values: Vec<f32> = lattice(13, -3.0, 3.0)
        .into_iter()
        .flat_map(|z| picture(48, z))
        .collect();
    let image = Tiles::new(shape, &values).montage(&Grid::new(13, 13, 48, 48))?;
    let map = LabelledMap {
        title: "48 × 48, colour",
        image: image.as_ref(),
        first: &axis,
        second: &axis,
        labels: ["z₁", "z₂"],
        pixel: 1.0,
    };
    let figure = Figure {
        title: "Map of the latent plane in colour".into(),
        ..Figure::of(map.plot())
    };
    gallery.save("map-colour", &figure)
}

fn spectrum(length: usize, centre: f64, noise: f64, seed: u64) -> Vec<f32> {
    let mut normal = Normal(seed);
    (0..length)
        .map(|i| {
            let at = i as f64 / length.max(2) as f64;
            let peak = |c: f64, w: f64| (-((at - c) / w).powi(2)).exp();
            let line = peak(centre, 0.03) + 0.5 * peak(1.0 - centre, 0.08) - 0.25;
            (line + noise * normal.next()) as f32
        })
        .collect()
}

fn lines(gallery: &Gallery) -> Done {
    let shape = TileShape::Line { length: 200 };
    let part = |noise: f64| -> Vec<f32> {
        (0..20)
            .flat_map(|i| spectrum(200, 0.1 + 0.04 * i as f64, noise, i))
            .collect()
    };
    let (input, output) = (part(0.05), part(0.0));
    let tiles = Tiles {
        overlay: Some((&output).into()),
        ..Tiles::new(shape, &input)
    };
    let grid = Grid::of_tiles(shape, 20, [1500, 1200]);
    let [low, high] = tiles.range().map(|v| decimal(v.into(), 2));
    let figure = Figure {
        title: "Spectra and their reconstructions".into(),
        caption: format!(
            "20 vectors of 200 values, each over its index; every tile runs from {low} to {high}, \
             the grey line is zero."
        ),
        legend: vec![
            LegendEntry::new(
                "input",
                viz::Rgb::hex(0x22262c),
                Swatch::Line(viz::Dash::Solid),
            ),
            LegendEntry::new(
                "reconstruction",
                class_colour(6),
                Swatch::Line(viz::Dash::Solid),
            ),
        ],
        ..Figure::of(TilePanel::new(&tiles, &grid)?)
    };
    gallery.save("tiles-lines", &figure)
}

fn odd_lines(gallery: &Gallery) -> Done {
    let gaps: Vec<f32> = spectrum(64, 0.3, 0.02, 1)
        .into_iter()
        .enumerate()
        .map(|(i, v)| if i % 16 > 12 { f32::NAN } else { v })
        .collect();
    let panel = |title: &str, values: &[f32]| -> Result<Panel, viz::VizError> {
        let shape = TileShape::Line {
            length: values.len(),
        };
        let grid = Grid::of_rows(shape, 1, 1, [600, 600]);
        let panel = TilePanel::new(&Tiles::new(shape, values), &grid)?;
        Ok(TilePanel {
            title: title.into(),
            ..panel
        }
        .into())
    };
    let row = vec![
        panel("100,000", &spectrum(100_000, 0.3, 0.1, 2))?,
        panel("gaps", &gaps)?,
        panel("constant", &[0.25; 30])?,
        panel("one", &[4.0])?,
        panel("two", &[0.0, 1.0])?,
        panel("no number", &[f32::NAN; 9])?,
    ];
    let figure = Figure {
        title: "Vectors of all kinds".into(),
        ..Figure::row(row)
    };
    gallery.save("tiles-odd-lines", &figure)
}

/// Codes in as many clusters on a spiral.
fn clusters(count: u32, each: usize) -> (Vec<[f64; 2]>, Vec<u32>) {
    let mut normal = Normal(8);
    (0..count)
        .flat_map(|class| std::iter::repeat_n(class, each))
        .map(|class| {
            let (turn, radius) = (2.399_963 * f64::from(class), f64::from(class).sqrt());
            let at = [radius * turn.cos(), radius * turn.sin()];
            (at.map(|c| c + 0.22 * normal.next()), class)
        })
        .unzip()
}

fn many_classes(gallery: &Gallery) -> Done {
    for count in [20u32, 62, 300] {
        let (points, classes) = clusters(count, 60);
        let names: Vec<String> = (0..count)
            .map(|class| match class {
                4 => "Regenschirmständer, zusammengeklappt".to_string(),
                7 => "กรุงเทพมหานคร".to_string(),
                _ => format!("class {class}"),
            })
            .collect();
        let title = format!("{count} classes");
        let scatter = ClassScatter {
            title: &title,
            points: &points,
            classes: (&classes).into(),
            class_names: &names,
            ..ClassScatter::default()
        };
        let plot = scatter.plot()?;
        if count == 62 {
            let strip = Figure {
                title: "A strip for all classes".into(),
                legend: plot.legend.clone(),
                ..Figure::of(viz::Plot {
                    legend: Vec::new(),
                    ..plot.clone()
                })
            };
            gallery.save("classes-strip", &strip)?;
        }
        let figure = Figure {
            title: "Codes of many classes".into(),
            caption: format!(
                "{CLASS_COLOURS} colours; further classes repeat them with other marks."
            ),
            ..Figure::of(plot)
        };
        gallery.save(&format!("classes-{count}"), &figure)?;
    }
    let (points, _) = clusters(62, 60);
    let unlabelled = ClassScatter {
        points: &points,
        prior: true,
        ..ClassScatter::default()
    };
    let figure = Figure {
        title: "Codes without labels".into(),
        ..Figure::of(unlabelled.plot()?)
    };
    gallery.save("classes-none", &figure)
}
