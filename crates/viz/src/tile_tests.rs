//! Tiles of any shape against montages computed in another way.

use proptest::prelude::*;

use crate::{Grid, Image, Rgb, RgbImage, TileShape, Tiles, montage};

const LIMIT: [usize; 2] = [1200, 900];

fn rgb(image: Image) -> RgbImage {
    match image {
        Image::Rgb(image) => image,
        Image::Gray(_) => panic!("expected a colour image"),
    }
}

fn shapes() -> Vec<TileShape> {
    let mut shapes = Vec::new();
    for [height, width] in [
        [1, 1],
        [8, 8],
        [28, 28],
        [25, 31],
        [1, 700],
        [900, 2],
        [512, 512],
    ] {
        shapes.push(TileShape::Grey { height, width });
        shapes.push(TileShape::Colour { height, width });
    }
    shapes.extend([1, 2, 30, 512, 100_000].map(|length| TileShape::Line { length }));
    shapes
}

#[test]
fn grey_tiles_are_those_of_the_plain_montage() {
    let shape = TileShape::Grey {
        height: 5,
        width: 7,
    };
    let bytes: Vec<u8> = (0..4 * 35).map(|i| (i * 3 % 256) as u8).collect();
    let floats: Vec<f32> = bytes.iter().map(|&b| f32::from(b) / 255.0).collect();
    let grid = Grid {
        scale: 3,
        gutter: 1,
        margin: 2,
        background: 9,
        ..Grid::new(2, 3, 5, 7)
    };
    let expected = Image::Gray(montage(&grid, &bytes).unwrap());
    assert_eq!(Tiles::new(shape, &bytes).montage(&grid).unwrap(), expected);
    assert_eq!(Tiles::new(shape, &floats).montage(&grid).unwrap(), expected);
}

#[test]
fn each_channel_of_colour_tiles_is_a_grey_montage() {
    let shape = TileShape::Colour {
        height: 3,
        width: 4,
    };
    let bytes: Vec<u8> = (0..5 * 36).map(|i| (i * 7 % 256) as u8).collect();
    let grid = Grid {
        scale: 2,
        gutter: 1,
        background: 255,
        ..Grid::new(2, 3, 3, 4)
    };
    let image = rgb(Tiles::new(shape, &bytes).montage(&grid).unwrap());
    for channel in 0..3 {
        let grey: Vec<u8> = bytes.iter().skip(channel).step_by(3).copied().collect();
        let expected = montage(&grid, &grey).unwrap();
        let found: Vec<u8> = image
            .pixels()
            .iter()
            .skip(channel)
            .step_by(3)
            .copied()
            .collect();
        assert_eq!(found, expected.pixels());
    }
}

#[test]
fn pixels_beyond_the_range_and_without_a_value_are_named() {
    let shape = TileShape::Grey {
        height: 1,
        width: 5,
    };
    let values = [-3.0, 0.5, 7.0, f32::NAN, f32::INFINITY];
    let Image::Gray(image) = Tiles::new(shape, values.as_slice())
        .montage(&Grid::new(1, 1, 1, 5))
        .unwrap()
    else {
        panic!("grey tiles are grey");
    };
    assert_eq!(image.pixels(), [0, 128, 255, 0xe6, 255]);
}

#[test]
fn what_does_not_fit_is_refused() {
    let grey = TileShape::Grey {
        height: 2,
        width: 2,
    };
    let grid = Grid::new(1, 1, 2, 2);
    let bytes = vec![0u8; 8];
    assert!(Tiles::new(grey, &bytes[..7]).count().is_err());
    assert!(Tiles::new(grey, bytes.as_slice()).montage(&grid).is_err());
    let larger = Grid::new(1, 2, 3, 2);
    assert!(Tiles::new(grey, bytes.as_slice()).montage(&larger).is_err());
    let overlaid = Tiles {
        overlay: Some((&bytes).into()),
        ..Tiles::new(grey, &bytes)
    };
    assert!(overlaid.count().is_err());
    let line = TileShape::Line { length: 4 };
    let short = Tiles {
        overlay: Some(bytes[..4].into()),
        ..Tiles::new(line, &bytes)
    };
    assert!(short.count().is_err());
    for empty in [
        TileShape::Line { length: 0 },
        TileShape::Colour {
            height: 0,
            width: 4,
        },
    ] {
        assert!(Tiles::new(empty, &bytes).montage(&grid).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(3), ..ProptestConfig::default() })]
    #[test]
    fn reduced_images_keep_their_mean(
        height in 1usize..40, width in 1usize..40, less in (0usize..40, 0usize..40), seed in 0u64..99,
    ) {
        let shape = TileShape::Grey { height, width };
        let to = [height - less.0 % height, width - less.1 % width];
        let values: Vec<f32> = (0..height * width)
            .map(|i| ((i as u64 * 2_654_435_761 + seed * 97) % 1000) as f32 / 1000.0)
            .collect();
        let grid = Grid::new(1, 1, to[0], to[1]);
        let Image::Gray(image) = Tiles::new(shape, &values).montage(&grid).unwrap() else {
            panic!("grey tiles are grey");
        };
        let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / values.len() as f64;
        let found = image.pixels().iter().map(|&v| f64::from(v)).sum::<f64>()
            / image.pixels().len() as f64 / 255.0;
        // Half a level of rounding.
        prop_assert!((mean - found).abs() < 0.5 / 255.0 + 1e-6, "{mean} became {found}");
    }

    #[test]
    fn grids_stay_inside_of_their_limit(
        shape in 0usize..19, count in 0usize..3000, width in 60usize..2500, height in 60usize..2500,
    ) {
        let shape = shapes()[shape];
        let limit = [width, height];
        let least = match shape { TileShape::Line { .. } => 40, _ => 24 };
        for grid in [
            Grid::of_tiles(shape, count, limit),
            Grid::of_rows(shape, count % 7, count % 31, limit),
        ] {
            let one = grid.rows == 1 || grid.columns == 1;
            prop_assert!(grid.width() <= width && grid.height() <= height, "{grid:?} in {limit:?}");
            let longer = grid.cell_width().max(grid.cell_height());
            prop_assert!(longer >= least || one, "{grid:?}");
            let size = shape.size();
            prop_assert!(grid.tile_height <= size[0] && grid.tile_width <= size[1]);
        }
        let grid = Grid::of_tiles(shape, count, limit);
        // No row or column is there for nothing.
        prop_assert!((grid.rows - 1) * grid.columns < count.max(1));
    }
}

#[test]
fn an_area_of_two_by_two_becomes_its_mean() {
    let shape = TileShape::Colour {
        height: 2,
        width: 4,
    };
    let pixel = |v: u8| [v, v / 2, 255 - v];
    let values = [0, 40, 100, 100, 80, 120, 100, 200].map(pixel).concat();
    let image = rgb(Tiles::new(shape, &values)
        .montage(&Grid::new(1, 1, 1, 2))
        .unwrap());
    assert_eq!(image.get(0, 0), Rgb(60, 30, 195));
    assert_eq!(image.get(1, 0), Rgb(125, 63, 130));
}

/// Rows of each column that are darker than the frame and the zero line.
fn dark_rows(image: &RgbImage, x: usize) -> Vec<usize> {
    (0..image.height())
        .filter(|&y| image.get(x, y).0 < 140)
        .collect()
}

fn one_line(values: &[f32], range: Option<[f32; 2]>) -> RgbImage {
    let shape = TileShape::Line {
        length: values.len(),
    };
    let tiles = Tiles {
        range,
        ..Tiles::new(shape, values)
    };
    rgb(tiles.montage(&Grid::of_rows(shape, 1, 1, LIMIT)).unwrap())
}

#[test]
fn lines_rise_with_their_values_and_share_a_range() {
    let rising: Vec<f32> = (0..100).map(|i| i as f32).collect();
    let image = one_line(&rising, None);
    assert_eq!((image.width(), image.height()), (200, 96));
    let middle = |x: usize| {
        let rows = dark_rows(&image, x);
        rows.iter().sum::<usize>() as f64 / rows.len() as f64
    };
    assert!(middle(20) > middle(100) && middle(100) > middle(180));
    assert!((middle(100) - 47.5).abs() < 2.0);
    // The second of two tiles keeps the range of both.
    let both = [vec![0.0f32; 50], vec![1.0f32; 50]].concat();
    let shape = TileShape::Line { length: 50 };
    let grid = Grid::of_rows(shape, 1, 2, LIMIT);
    let image = rgb(Tiles::new(shape, &both).montage(&grid).unwrap());
    let (left, _) = grid.tile_origin(1);
    assert!(dark_rows(&image, 60)[0] > 80 && dark_rows(&image, left + 60)[0] < 16);
}

#[test]
fn gaps_dots_and_constant_vectors_are_drawn() {
    let mut values = vec![1.0f32; 64];
    values[20..40].fill(f32::NAN);
    values[30] = 1.0;
    values[50] = f32::INFINITY;
    let image = one_line(&values, None);
    let x = |index: usize| (6.0 + 116.0 * index as f64 / 63.0) as usize;
    assert!(dark_rows(&image, x(25)).is_empty() && dark_rows(&image, x(35)).is_empty());
    assert!(!dark_rows(&image, x(30)).is_empty() && !dark_rows(&image, x(10)).is_empty());
    // A constant runs through the middle.
    assert!((dark_rows(&image, x(10))[0] as i64 - 47).abs() < 4);
    for values in [vec![f32::NAN; 9], vec![f32::MAX, f32::MIN, 0.0], vec![-4.0]] {
        let image = one_line(&values, None);
        let dark = (0..image.width()).any(|x| !dark_rows(&image, x).is_empty());
        assert_eq!(dark, values.iter().any(|v| v.is_finite()), "{values:?}");
    }
}

#[test]
fn a_hundred_thousand_values_keep_their_extremes() {
    let mut values = vec![0.0f32; 100_000];
    values[31_415] = 1.0;
    values[77_777] = -1.0;
    let image = one_line(&values, None);
    let column = |index: f64| (image.width() as f64 * index) as usize;
    let near = |x: usize, y: std::ops::Range<usize>| {
        (x - 3..x + 4).any(|x| dark_rows(&image, x).iter().any(|row| y.contains(row)))
    };
    assert!(near(column(0.317), 0..14));
    assert!(near(column(0.775), 82..96));
    assert!(!near(column(0.5), 0..40));
}

#[test]
fn zero_is_marked_when_it_is_inside_and_a_second_line_has_its_colour() {
    let values = vec![0.5f32; 40];
    let marked = one_line(&values, Some([-1.0, 1.0]));
    let plain = one_line(&values, Some([0.0, 1.0]));
    let zero = Rgb::hex(0xb4bac3);
    let has = |image: &RgbImage, colour| (0..96).any(|y| image.get(64, y) == colour);
    assert!(has(&marked, zero) && !has(&plain, zero));
    let shape = TileShape::Line { length: 40 };
    let second = vec![-0.5f32; 40];
    let tiles = Tiles {
        overlay: Some((&second).into()),
        ..Tiles::new(shape, &values)
    };
    let image = rgb(tiles.montage(&Grid::of_rows(shape, 1, 1, LIMIT)).unwrap());
    let orange = |Rgb(r, g, b): Rgb| r > 200 && g < 150 && b < 60;
    assert!((80..92).any(|y| orange(image.get(64, y))));
    assert!(dark_rows(&image, 64)[0] < 12);
}
