use viz::charts::LabelledMap;
use viz::page::{Block, Cell, Column, FigureLink, Page, Section, Span, Table, Text, Verdict};
use viz::{
    Figure, Grid, Layer, Panel, Point, Points, TilePanel, class_colour, lattice, lattice_of,
    linspace, montage, montage_with_borders, write_figure,
};

use crate::synthetic::{codes, fashion, tile};
use crate::{Done, Gallery, sidecar};

pub(crate) fn draw(gallery: &Gallery) -> Done {
    maps(gallery)?;
    reconstructions(gallery)?;
    samples(gallery)?;
    page(gallery)
}

fn maps(gallery: &Gallery) -> Done {
    let axis = linspace(21, -4.0, 4.0);
    let tiles: Vec<u8> = lattice(21, -4.0, 4.0).into_iter().flat_map(tile).collect();
    let bare = montage(&Grid::new(21, 21, 28, 28), &tiles)?;
    write_figure(
        &gallery.folder.join("map-bare.png"),
        &bare,
        &sidecar("The bare map."),
    )?;
    let map = LabelledMap {
        title: "VAE 784-256-2",
        image: (&bare).into(),
        first: &axis,
        second: &axis,
        labels: ["z₁", "z₂"],
        pixel: 1.0,
    };
    let figure = Figure {
        title: "Map of the latent plane".into(),
        caption: "Decoded means of 21 × 21 codes, equally spaced from −4 to 4 on both axes.".into(),
        ..Figure::of(map.plot())
    };
    gallery.save("map", &figure)?;

    let quantiles = [-1.64, -0.84, -0.39, 0.0, 0.39, 0.84, 1.64];
    let tiles: Vec<u8> = lattice_of(&quantiles, &quantiles)
        .into_iter()
        .flat_map(tile)
        .collect();
    let image = montage(&Grid::new(7, 7, 28, 28), &tiles)?;
    let at_quantiles = LabelledMap {
        title: "At the prior’s quantiles",
        image: (&image).into(),
        first: &quantiles,
        second: &quantiles,
        pixel: 1.5,
        ..map.clone()
    };
    let (points, classes) = codes(800, 1.6, 6);
    let mut overlaid = LabelledMap {
        title: "With codes",
        pixel: 0.5,
        ..map
    }
    .plot();
    overlaid.layers.push(Layer::Points(Points {
        points: points
            .iter()
            .zip(&classes)
            .map(|(&at, &class)| Point {
                at,
                colour: class_colour(class as usize),
            })
            .collect(),
        radius: 1.6,
        alpha: 0.9,
        shuffle: Some(1),
        ..Points::default()
    }));
    let figure = Figure {
        title: "Two more maps".into(),
        ..Figure::row(vec![at_quantiles.plot().into(), overlaid.into()])
    };
    gallery.save("map-pair", &figure)
}

fn reconstructions(gallery: &Gallery) -> Done {
    let columns = 10;
    let input: Vec<Vec<u8>> = (0..columns)
        .map(|c| tile([0.6 * c as f64 - 3.0, 2.0 - 0.4 * c as f64]))
        .collect();
    let output: Vec<Vec<u8>> = (0..columns)
        .map(|c| tile([0.5 * c as f64 - 2.7, 1.7 - 0.35 * c as f64]))
        .collect();
    let difference = input.iter().zip(&output).map(|(a, b)| {
        a.iter()
            .zip(b)
            .map(|(a, b)| a.abs_diff(*b))
            .collect::<Vec<u8>>()
    });
    let tiles: Vec<u8> = input
        .iter()
        .chain(&output)
        .cloned()
        .chain(difference)
        .flatten()
        .collect();
    let grid = Grid {
        gutter: 2,
        background: 255,
        ..Grid::new(3, columns, 28, 28)
    };
    let panel = TilePanel {
        title: String::new(),
        image: montage(&grid, &tiles)?.into(),
        grid,
        row_heads: vec![
            "input".into(),
            "reconstruction".into(),
            "|difference|".into(),
        ],
        column_heads: fashion(),
        pixel: 2.0,
    };
    let figure = Figure {
        title: "Reconstructions".into(),
        caption: "One test image of each class, decoded at its mean code.".into(),
        ..Figure::of(panel)
    };
    gallery.save("reconstructions", &figure)
}

fn samples(gallery: &Gallery) -> Done {
    let mut panels: Vec<Panel> = Vec::new();
    for (index, title) in ["z₃ = −2", "z₃ = −1", "z₃ = 0", "z₃ = 1", "z₃ = 2"]
        .iter()
        .enumerate()
    {
        let tiles: Vec<u8> = lattice(5, -2.0, 2.0)
            .into_iter()
            .flat_map(|z| tile([z[0] + index as f64, z[1]]))
            .collect();
        let grid = Grid {
            gutter: 2,
            margin: 1,
            background: 255,
            ..Grid::new(5, 5, 28, 28)
        };
        let frames: Vec<_> = (0..25)
            .map(|i| (i % 6 == index).then(|| class_colour(2)))
            .collect();
        panels.push(
            TilePanel {
                title: (*title).into(),
                image: montage_with_borders(&grid, &tiles, 1, &frames)?.into(),
                grid,
                row_heads: Vec::new(),
                column_heads: Vec::new(),
                pixel: 1.0,
            }
            .into(),
        );
    }
    let figure = Figure {
        title: "Five horizontal slices of a latent space".into(),
        caption: "25 codes in each slice; framed tiles are discussed in the text.".into(),
        ..Figure::row(panels)
    };
    gallery.save("slices", &figure)
}

fn page(gallery: &Gallery) -> Done {
    let figure = |name: &str, size: (usize, usize)| FigureLink {
        source: format!("{name}.png"),
        size,
        alternative: format!("The figure {name} of the gallery"),
        caption: format!("Figure {name}: drawn from synthetic data.").into(),
        ..FigureLink::default()
    };
    let page = Page {
        title: "An atlas of latent spaces".into(),
        subtitle: "MNIST and Fashion-MNIST · five seeds".into(),
        lead: vec!["What two kinds of autoencoders learn, drawn and measured.".into()],
        sections: vec![
            Section {
                heading: "Maps of the plane".into(),
                blocks: vec![
                    Block::Quotation {
                        text: "The VAE's images change fast, the AE's hardly.".into(),
                        source: "Document 000".into(),
                    },
                    Block::Paragraph(Text(vec![
                        Span::Plain("Both maps cover ".into()),
                        Span::Strong("−4 … 4".into()),
                        Span::Plain("; they were decoded by ".into()),
                        Span::Code("atlas figures".into()),
                        Span::Plain(".".into()),
                    ])),
                    Block::Figures(vec![
                        figure("map-bare", (294, 294)),
                        figure("scatter", (588, 611)),
                    ]),
                ],
            },
            Section {
                heading: "What we measured".into(),
                blocks: vec![Block::Table(Table {
                    caption: "Mean over five seeds with the 95 % interval.".into(),
                    columns: vec![
                        Column::new("Statement", ""),
                        Column::new("VAE", "kinds"),
                        Column::new("AE", "kinds"),
                        Column::new("Verdict", ""),
                    ],
                    rows: [
                        (Verdict::Supported, 9.2),
                        (Verdict::Refuted, 4.4),
                        (Verdict::Mixed, 6.0),
                        (Verdict::Undecided, 7.1),
                    ]
                    .into_iter()
                    .map(|(verdict, mean)| {
                        vec![
                            Cell::text("The VAE's map has at least 8 kinds of object."),
                            Cell::Interval {
                                mean,
                                low: mean - 0.6,
                                high: mean + 0.6,
                                decimals: 1,
                            },
                            Cell::Number {
                                value: 0.5 * mean,
                                decimals: 1,
                            },
                            Cell::Verdict(verdict),
                        ]
                    })
                    .collect(),
                })],
            },
        ],
        footer: vec!["Drawn by the gallery example.".into()],
    };
    page.write(&gallery.folder.join("index.html"))?;
    Ok(())
}
