//! What holds for the files of every picture: they are whole, show what was drawn, and repeat.

use std::collections::HashSet;
use std::io::Read;

use flate2::read::ZlibDecoder;
use roxmltree::{Document, Node};

use crate::charts::{ClassScatter, LabelledMap};
use crate::degenerate_tests::{cases, every_chart};
use crate::layout_tests::{every_plot, tile_panel};
use crate::{
    Figure, FigureOutput, FigureScale, Format, GrayImage, Image, Picture, Plot, Rgb, RgbImage,
    Sidecar, decode_png, encode_png, write_figure, write_figure_as,
};

fn encoded(figure: &Figure, format: Format, output: &FigureOutput) -> Vec<u8> {
    let sidecar = Sidecar {
        description: "a \"picture\" of μ < σ & more".into(),
        ..Sidecar::default()
    };
    let picture = Picture::from(figure);
    let bytes = picture.encode(format, &sidecar, output).unwrap();
    assert_eq!(bytes, picture.encode(format, &sidecar, output).unwrap());
    bytes
}

fn svg_of(figure: &Figure) -> String {
    String::from_utf8(encoded(figure, Format::Svg, &FigureOutput::default())).unwrap()
}

fn assert_whole_svg(text: &str, what: &str) {
    let document = Document::parse(text).unwrap_or_else(|error| panic!("{what}: {error}"));
    let ids: HashSet<&str> = document
        .descendants()
        .filter_map(|node| node.attribute("id"))
        .collect();
    for node in document.descendants().filter(Node::is_element) {
        for attribute in node.attributes() {
            let value = attribute.value();
            let target = match (node.tag_name().name(), attribute.name()) {
                ("use", "href") => value.strip_prefix('#'),
                (_, "clip-path") => value
                    .strip_prefix("url(#")
                    .and_then(|v| v.strip_suffix(')')),
                ("title" | "desc", _) | (_, "aria-label" | "href") => continue,
                _ => {
                    let strange = value.contains("NaN") || value.contains("inf");
                    assert!(!strange, "{what}: {}={value}", attribute.name());
                    continue;
                }
            };
            assert!(target.is_some_and(|id| ids.contains(id)), "{what}: {value}");
        }
    }
}

fn find(bytes: &[u8], wanted: &str) -> usize {
    let wanted = wanted.as_bytes();
    let found = bytes.windows(wanted.len()).position(|part| part == wanted);
    found.unwrap_or_else(|| panic!("no {}", String::from_utf8_lossy(wanted)))
}

/// The page's operators, after the table of objects was found to say where they are.
fn page_of(bytes: &[u8], what: &str) -> String {
    assert!(
        bytes.starts_with(b"%PDF-1.7") && bytes.ends_with(b"%%EOF"),
        "{what}"
    );
    let start = bytes.len() - 40;
    let tail = String::from_utf8_lossy(&bytes[start..]);
    let table: usize = tail
        .split("startxref")
        .nth(1)
        .unwrap()
        .split_whitespace()
        .next()
        .unwrap()
        .parse()
        .unwrap();
    let text = String::from_utf8_lossy(&bytes[table..]).to_string();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0].trim(), "xref", "{what}");
    for (number, line) in lines[2..]
        .iter()
        .take_while(|l| !l.starts_with("trailer"))
        .enumerate()
    {
        let offset: usize = line[..10].parse().unwrap();
        if line.contains(" n") {
            let object = format!("{number} 0 obj");
            assert!(
                bytes[offset..].starts_with(object.as_bytes()),
                "{what}: object {number}"
            );
        }
    }
    // The fourth object is the page's content.
    let object = &bytes[find(bytes, "\n4 0 obj")..];
    let stream = &object[find(object, "stream\n") + 7..];
    let mut content = String::new();
    ZlibDecoder::new(stream)
        .read_to_string(&mut content)
        .unwrap();
    let operators: Vec<&str> = content
        .lines()
        .filter_map(|l| l.split(' ').next_back())
        .collect();
    let count = |wanted: &str| operators.iter().filter(|o| **o == wanted).count();
    assert_eq!(count("q"), count("Q"), "{what}");
    assert!(
        !content.contains("NaN") && !content.contains("inf"),
        "{what}"
    );
    content
}

#[test]
fn every_format_of_every_chart_is_whole_with_any_values() {
    for (case, values) in cases() {
        for (chart, plot) in every_chart(&values) {
            let what = format!("{chart} of {case}");
            let figure = Figure {
                title: "a < b & \"c\"\u{0}".into(),
                scale: 1.0,
                ..Figure::of(plot)
            };
            assert_whole_svg(&svg_of(&figure), &what);
            page_of(
                &encoded(&figure, Format::Pdf, &FigureOutput::default()),
                &what,
            );
        }
    }
}

#[test]
fn an_svg_names_its_words_and_draws_each_point() {
    let points: Vec<[f64; 2]> = (0..37).map(|i| [f64::from(i), f64::from(i * i)]).collect();
    let plot = ClassScatter {
        title: "Codes of μ",
        points: &points,
        ..ClassScatter::default()
    };
    let figure = Figure {
        title: "Two words".into(),
        ..Figure::of(plot.plot().unwrap())
    };
    let text = svg_of(&figure);
    let document = Document::parse(&text).unwrap();
    let count = |name: &str| {
        document
            .descendants()
            .filter(|n| n.has_tag_name(name))
            .count()
    };
    let root = document.root_element();
    let child = |name: &str| {
        root.children()
            .find(|n| n.tag_name().name() == name)
            .unwrap()
    };
    assert_eq!(child("title").text(), Some("Two words"));
    assert_eq!(child("desc").text(), Some("a \"picture\" of μ < σ & more"));
    let svg = "http://www.w3.org/2000/svg";
    let circles = document
        .descendants()
        .filter(|n| n.has_tag_name((svg, "circle")));
    assert_eq!(circles.count(), 37);
    let labels: Vec<&str> = document
        .descendants()
        .filter_map(|node| node.attribute("aria-label"))
        .collect();
    assert!(
        labels.contains(&"Two words") && labels.contains(&"Codes of μ") && labels.contains(&"z₁")
    );
    assert_eq!(count("text"), 0);
}

#[test]
fn embedded_images_have_the_pixels_of_the_picture() {
    let mut image = RgbImage::new(5, 3, Rgb::WHITE);
    for x in 0..5 {
        image.set(x, 1, Rgb(50 * x as u8, 7, 9));
    }
    let text = String::from_utf8(
        Picture::from(&image)
            .encode(Format::Svg, &Sidecar::default(), &FigureOutput::default())
            .unwrap(),
    )
    .unwrap();
    let data = text
        .split("base64,")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    assert_eq!(decode_png(&unbase64(data)).unwrap(), Image::Rgb(image));
    // Pixels of eight units: each is repeated, so that no program blurs it.
    let image = GrayImage::from_pixels(2, 2, vec![0, 90, 180, 255]).unwrap();
    let map = LabelledMap {
        title: "",
        image: (&image).into(),
        first: &[-1.0, 1.0],
        second: &[-1.0, 1.0],
        labels: ["", ""],
        pixel: 8.0,
    };
    let text = svg_of(&Figure::of(map.plot()));
    let data = text
        .split("base64,")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    assert_eq!(
        decode_png(&unbase64(data)).unwrap(),
        image.scaled(32).into()
    );
}

fn unbase64(text: &str) -> Vec<u8> {
    let value = |c: u8| match c {
        b'A'..=b'Z' => c - b'A',
        b'a'..=b'z' => c - b'a' + 26,
        b'0'..=b'9' => c - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0u32, 0);
    for character in text.bytes().filter(|c| *c != b'=') {
        bits = bits << 6 | u32::from(value(character));
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    bytes
}

#[test]
fn the_default_is_the_picture_on_the_page() {
    let folder = tempfile::tempdir().unwrap();
    let figure = Figure {
        title: "Title".into(),
        caption: "Caption.".into(),
        ..Figure::row(vec![Plot::default().into(), tile_panel().into()])
    };
    let sidecar = Sidecar::default();
    let [drawn, rendered] = ["drawn.png", "rendered.png"].map(|name| folder.path().join(name));
    write_figure(&drawn, &figure, &sidecar).unwrap();
    write_figure(&rendered, &figure.render(), &sidecar).unwrap();
    assert_eq!(
        std::fs::read(&drawn).unwrap(),
        std::fs::read(&rendered).unwrap()
    );
    assert_eq!(
        std::fs::read(&drawn).unwrap(),
        encode_png(&figure.render(), &[]).unwrap()
    );
    assert!(!drawn.with_extension("svg").exists());
    let output = FigureOutput {
        formats: vec![Format::Pdf, Format::Png, Format::Pdf],
        ..FigureOutput::default()
    };
    let files = write_figure_as(&rendered, &figure, &sidecar, &output).unwrap();
    assert_eq!(files, [rendered.clone(), rendered.with_extension("pdf")]);
    assert!(rendered.with_extension("json").exists());
    assert!(files.iter().all(|file| file.exists()));
}

#[test]
fn bare_figures_lose_title_and_caption_alone() {
    let figure = Figure {
        title: "Figure".into(),
        caption: "Caption.".into(),
        ..Figure::of(Plot {
            title: "Panel".into(),
            ..Plot::default()
        })
    };
    let output = FigureOutput {
        bare: true,
        ..FigureOutput::default()
    };
    let text = String::from_utf8(encoded(&figure, Format::Svg, &output)).unwrap();
    assert!(
        text.contains("\"Panel\"") && !text.contains("\"Figure\"") && !text.contains("Caption.")
    );
    // For those who cannot see it, the picture keeps its name.
    assert!(text.contains("<title>Figure</title>"));
}

/// Pixels of the PNG, and width in millimetres of the PDF.
fn sizes(figure: &Figure, scale: FigureScale) -> ([usize; 2], f64) {
    let output = FigureOutput {
        scale,
        ..FigureOutput::default()
    };
    let image = decode_png(&encoded(figure, Format::Png, &output)).unwrap();
    let bytes = encoded(figure, Format::Pdf, &output);
    let page = String::from_utf8_lossy(&bytes[find(&bytes, "/MediaBox [")..]).to_string();
    let width: f64 = page.split([' ', '[']).nth(4).unwrap().parse().unwrap();
    let image = image.as_ref();
    ([image.width(), image.height()], width / 72.0 * 25.4)
}

#[test]
fn paper_has_the_width_of_a_column_at_300_dots_per_inch() {
    let panels = || every_plot().into_iter().take(2).map(Into::into).collect();
    for (figure, expected) in [
        (Figure::of(every_plot().remove(0)), 85.0),
        (Figure::row(panels()), 180.0),
    ] {
        let ([pixels, _], width) = sizes(&figure, FigureScale::Paper);
        assert!((width - expected).abs() < 0.2, "{width} for {expected}");
        assert!(
            (pixels as f64 - width / 25.4 * 300.0).abs() < 2.0,
            "{pixels}"
        );
    }
    let figure = Figure::of(Plot::default());
    let output = FigureOutput {
        scale: FigureScale::Paper,
        ..FigureOutput::default()
    };
    let bytes = encoded(&figure, Format::Png, &output);
    let density = &bytes[find(&bytes, "pHYs") + 4..][..9];
    assert_eq!(density, [0, 0, 46, 35, 0, 0, 46, 35, 1]);
    // Ten panels have no room: letters are 5 points and the figure is wider.
    let many = Figure::row((0..10).map(|_| every_plot().remove(0).into()).collect());
    assert!(sizes(&many, FigureScale::Paper).1 > 190.0);
}

#[test]
fn a_slide_has_the_pixels_of_the_data_and_larger_words() {
    let mut image = GrayImage::new(60, 60, 0);
    image.set(3, 4, 200);
    let map = LabelledMap {
        title: "",
        image: (&image).into(),
        first: &[-1.0, 1.0],
        second: &[-1.0, 1.0],
        labels: ["z₁", "z₂"],
        pixel: 1.5,
    };
    let figure = Figure::of(map.plot());
    let rendered = |scale| {
        let output = FigureOutput {
            scale,
            ..FigureOutput::default()
        };
        let Image::Rgb(image) = decode_png(&encoded(&figure, Format::Png, &output)).unwrap() else {
            panic!("figures have colours");
        };
        let black = image
            .pixels()
            .chunks_exact(3)
            .filter(|p| *p == [0, 0, 0])
            .count();
        let marked = image
            .pixels()
            .chunks_exact(3)
            .filter(|p| *p == [200, 200, 200])
            .count();
        (black, marked)
    };
    assert_eq!(rendered(FigureScale::Screen), (9 * 3599, 9));
    assert_eq!(rendered(FigureScale::Slide), (9 * 3599, 9));
}

#[test]
fn no_scale_loses_text() {
    for scale in FigureScale::ALL {
        for (index, plot) in every_plot().into_iter().enumerate() {
            for figure in [
                Figure::of(plot.clone()),
                Figure::row(vec![plot.clone().into(), tile_panel().into(), plot.into()]),
            ] {
                let canvas = figure.presented(false, scale).figure.draw();
                let [width, height] = canvas.size();
                let [left, top, right, bottom] = canvas.text_bounds().unwrap();
                let inside = left >= 0.0 && top >= 0.0 && right <= width && bottom <= height;
                assert!(
                    inside,
                    "plot {index} for {scale}: {right}, {bottom} of {width}, {height}"
                );
            }
        }
    }
}

#[test]
fn a_hundred_thousand_points_stay_a_file_of_few_megabytes() {
    let points: Vec<[f64; 2]> = (0..100_000)
        .map(|i| [(f64::from(i) * 0.618) % 1.0, (f64::from(i) * 0.414) % 1.0])
        .collect();
    let plot = ClassScatter {
        points: &points,
        ..ClassScatter::default()
    };
    let figure = Figure::of(plot.plot().unwrap());
    let svg = svg_of(&figure).len();
    let pdf = encoded(&figure, Format::Pdf, &FigureOutput::default());
    assert!(
        svg < 9_000_000 && pdf.len() < 1_500_000,
        "{svg} {}",
        pdf.len()
    );
    let page = page_of(&pdf, "many points");
    assert!(page.lines().filter(|line| *line == "S").count() >= 100_000);
}

#[test]
fn formats_and_scales_are_read_back() {
    for format in Format::ALL {
        assert_eq!(format.to_string().parse::<Format>().unwrap(), format);
    }
    for scale in FigureScale::ALL {
        assert_eq!(scale.to_string().parse::<FigureScale>().unwrap(), scale);
    }
    let error = "poster".parse::<FigureScale>().unwrap_err().to_string();
    assert_eq!(
        error,
        "scale of a figure: found \"poster\", expected screen, slide or paper"
    );
}
