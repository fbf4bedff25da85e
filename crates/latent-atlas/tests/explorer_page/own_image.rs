//! Images of the reader's own, encoded as the program encodes them.

use std::fs;
use std::path::Path;

use browser::{Look, Point};
use ndarray::Array3;
use viz::{GrayImage, write_png};

use crate::pages::{ENCODED_ERROR, hostile, pair};
use crate::visit::{Visit, assert_near, browser};

fn spread(visit: &Visit<'_>, run: usize) -> f64 {
    let least = format!("Math.sqrt(Math.min(...atlas.app.models[{run}].variance))");
    visit.number(&least)
}

/// Brightness of the pad, brought to the size of the data by means of its pixels.
fn pad(visit: &Visit<'_>) -> Vec<f64> {
    visit.numbers(
        "(() => {
          const pad = document.getElementById('pad');
          const side = pad.width / 28;
          const {data} = pad.getContext('2d').getImageData(0, 0, pad.width, pad.height);
          const sums = new Array(784).fill(0);
          for (let y = 0; y < pad.height; y++) for (let x = 0; x < pad.width; x++) {
            sums[28 * Math.floor(y / side) + Math.floor(x / side)] += data[4 * (y * pad.width + x)] / 255;
          }
          return sums.map(sum => sum / side ** 2);
        })()",
    )
}

/// Goes on to the next image that has a picture in the page, or that has none.
fn step_to_image(visit: &Visit<'_>, with_picture: bool) {
    visit.focus(".plane");
    for _ in 0..400 {
        visit.press("n");
        let has_picture = "atlas.app.data.thumbnails.of[atlas.state().image] >= 0";
        if visit.get(has_picture) == with_picture {
            return;
        }
    }
    panic!("there is no image whose having a picture is {with_picture}");
}

fn write_rows(path: &Path, row: &[f64]) {
    let values: Vec<f32> = row.iter().map(|&value| value as f32).collect();
    let image = Array3::from_shape_vec((1, 28, 28), values).expect("28 by 28");
    ndarray_npy::write_npy(path, &image).expect("a writable folder");
}

#[test]
fn a_drawing_has_the_codes_that_the_program_gives_it() {
    let Some(browser) = browser() else { return };
    let made = pair();
    let visit = Visit::to(&browser, made, &Look::default());
    visit.unfold();
    let pad_place = visit.page.place_of("#pad").expect("it is there");
    let mut codes = Vec::new();
    for stroke in [[(0.5, 0.2), (0.5, 0.8)], [(0.25, 0.3), (0.7, 0.35)]] {
        let [from, to] = stroke.map(|(right, down)| pad_place.at(right, down));
        visit.page.drag(from, to, 6).expect("it draws");
        visit.until("atlas.state().drawn");
        codes.push(visit.code(0));
    }
    assert!(codes[0] != codes[1]);
    let row = pad(&visit);
    assert!(row.iter().any(|&value| value > 0.9) && row[0] == 0.0);
    let file = made.folder.join("drawn.npy");
    write_rows(&file, &row);
    for (run, name) in ["vae", "ae"].into_iter().enumerate() {
        let expected = &made.encoded(name, "drawn.npy", &["--labels", "none"])[0];
        let tolerance = ENCODED_ERROR * spread(&visit, run);
        assert_near(&visit.code(run), expected, tolerance);
    }
    let said = visit.text("#drawn");
    assert!(
        said.contains("−log p(x) ≤") && said.contains("nats"),
        "{said}"
    );
    let words = visit.number("document.querySelectorAll('#drawn canvas').length");
    assert_near(&[words], &[4.0], 0.0);
    visit.click("#pad-clear");
    assert_eq!(visit.state()["drawn"], false);
    assert!(pad(&visit).iter().all(|&value| value == 0.0));
    visit.is_quiet();
}

#[test]
fn files_dropped_and_chosen_have_the_codes_that_the_program_gives_them() {
    let Some(browser) = browser() else { return };
    let made = pair();
    let visit = Visit::to(&browser, made, &Look::default());
    let images = made.folder.join("dropped");
    fs::create_dir_all(&images).expect("a new folder");
    // A ring, with soft borders and a mark that is on one side only.
    let of = |x: usize, y: usize| {
        let away = ((x as f64 - 13.5).powi(2) + (y as f64 - 13.5).powi(2)).sqrt();
        let ring = (1.0 - (away - 8.0).abs() / 2.5).max(0.0);
        let mark = if x > 20 && y < 6 { 0.6 } else { 0.0 };
        (255.0_f64 * ring.max(mark)).round() as u8
    };
    let pixels = (0..784).map(|at| of(at % 28, at / 28)).collect();
    let image = GrayImage::from_pixels(28, 28, pixels).expect("28 by 28");
    let file = images.join("ring.png");
    write_png(&file, &image, &[]).expect("it is written");
    let expected = made.encoded("vae", "dropped", &[]);
    let tolerance = ENCODED_ERROR * spread(&visit, 0);

    let plane = visit.plane(0).middle();
    visit.page.drop_files(plane, &[&file]).expect("it falls");
    visit.until("atlas.state().drawn");
    assert_near(&visit.code(0), &expected[0], tolerance);
    assert_eq!(visit.get("document.getElementById('draw-tool').open"), true);

    visit.click("#pad-clear");
    assert_eq!(visit.state()["drawn"], false);
    visit
        .page
        .choose_files("#file", &[&file])
        .expect("it is chosen");
    visit.until("atlas.state().drawn");
    assert_near(&visit.code(0), &expected[0], tolerance);

    // The image that is chosen has the code that it has.
    visit.click("#pad-clear");
    step_to_image(&visit, true);
    let chosen = visit.code(0);
    visit.click("#pad-take");
    visit.until("atlas.state().drawn");
    assert_near(&visit.code(0), &chosen, 2.0 * tolerance);
    step_to_image(&visit, false);
    visit.click("#pad-take");
    let said = visit.text("#drawn");
    assert!(said.contains("no picture in this page"), "{said}");

    // What is no image is said, and nothing else happens.
    let before = visit.state()["codes"].clone();
    let table = made.folder.join("no <b>image.png");
    fs::write(&table, "a,b").expect("a writable folder");
    visit.page.drop_files(plane, &[&table]).expect("it falls");
    visit.until("document.getElementById('drawn').textContent.includes('is no image')");
    assert!(
        visit
            .text("#drawn")
            .starts_with("no <b>image.png is no image")
    );
    assert_eq!(visit.state()["codes"], before);
    visit.is_quiet();
}

#[test]
fn colour_images_are_encoded_in_colour() {
    let Some(browser) = browser() else { return };
    let made = hostile();
    let visit = Visit::to(&browser, made, &Look::default());
    let folder = made.folder.join("<b>data&lt;/test/1");
    let mut files: Vec<_> = fs::read_dir(&folder)
        .expect("the data")
        .map(|entry| entry.expect("a file").path())
        .collect();
    files.sort();
    let file = &files[3];
    let images = made.folder.join("one");
    fs::create_dir_all(&images).expect("a new folder");
    fs::copy(file, images.join("one.png")).expect("it is copied");
    let expected = &made.encoded("<b>ae", "one", &[])[0];
    visit
        .page
        .drop_files(Point { x: 300.0, y: 300.0 }, &[file])
        .expect("it falls");
    visit.until("atlas.state().drawn");
    assert_near(&visit.code(0), expected, ENCODED_ERROR * spread(&visit, 0));
    visit.is_quiet();
}
