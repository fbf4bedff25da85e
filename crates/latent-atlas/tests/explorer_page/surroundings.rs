//! Phones, dark rooms, paper, and browsers without scripts.

use std::fs;

use browser::Look;
use serde_json::json;

use crate::pages::{all, pair};
use crate::visit::{Visit, browser, model};

#[test]
fn a_phone_sees_plane_and_decoded_image_at_once() {
    let Some(browser) = browser() else { return };
    for made in all() {
        let visit = Visit::to(&browser, made, &Look::phone());
        visit.idle();
        let runs = visit.number("atlas.app.views.length") as usize;
        for run in 0..runs {
            let both = visit.numbers(&format!(
                "(() => {{
                  const [plane, decoded] = ['.plane', '.decoded'].map(part => document.querySelector('{}').querySelector(part));
                  plane.scrollIntoView({{block: 'start', behavior: 'instant'}});
                  return [plane.getBoundingClientRect().top, decoded.getBoundingClientRect().bottom, innerHeight];
                }})()",
                model(run)
            ));
            assert!(both[0] > -1.0 && both[1] <= both[2], "{both:?}");
        }
        visit.fits();
        visit.is_quiet();
    }
}

#[test]
fn the_page_follows_a_change_of_light() {
    let Some(browser) = browser() else { return };
    let dark = Look {
        dark: true,
        ..Look::default()
    };
    let visit = Visit::to(&browser, pair(), &Look::default());
    visit.idle();
    let paper = "getComputedStyle(document.body).backgroundColor";
    let dots = format!("{} canvas.dots", model(0));
    let (light_paper, light_dots) = (visit.get(paper), visit.digest(&dots));
    assert_eq!(light_paper, "rgb(255, 255, 255)");
    visit.page.look(&dark).expect("it is dark");
    assert_eq!(visit.get(paper), "rgb(20, 23, 27)");
    assert!(visit.digest(&dots) != light_dots);
    visit.is_quiet();
}

#[test]
fn it_can_be_printed() {
    let Some(browser) = browser() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    for made in all() {
        let visit = Visit::to(&browser, made, &Look::default());
        visit.idle();
        let file = folder.path().join("printed.pdf");
        visit.page.print(&file).expect("it prints");
        let printed = fs::read(&file).expect("it is there");
        assert!(printed.starts_with(b"%PDF"));
        // The planes are pictures in it.
        let image = b"/Subtype /Image";
        let images = printed.windows(image.len()).filter(|part| part == image);
        let canvases = visit.number("document.querySelectorAll('#planes canvas').length");
        assert!(images.count() >= 2, "{canvases} canvases");
        visit.is_quiet();
    }
}

#[test]
fn without_scripts_there_are_a_picture_and_tables() {
    let Some(browser) = browser() else { return };
    let look = Look {
        scripts: false,
        ..Look::default()
    };
    for made in all() {
        let visit = Visit::to(&browser, made, &look);
        let picture = visit.get(
            "(() => {
              const picture = document.querySelector('#static img');
              const box = picture.getBoundingClientRect();
              return [picture.checkVisibility(), picture.complete && picture.naturalWidth > 100, box.width > 100, picture.alt.length > 20];
            })()",
        );
        assert_eq!(picture, json!([true, true, true, true]));
        let rows = visit.number("document.querySelectorAll('#table td').length");
        assert!(rows >= 5.0, "{rows}");
        let shown = "['#table table', '#explorer', 'h1'].map(part => document.querySelector(part).checkVisibility())";
        assert_eq!(visit.get(shown), json!([true, false, true]));
        visit.is_quiet();
    }
}
