use viz::charts::{Camera, Scatter3d, Surface3d};
use viz::{Animation, Figure, Panel};

use crate::synthetic::{Normal, digits, mixture};
use crate::{Done, Gallery, sidecar};

pub(crate) fn draw(gallery: &Gallery) -> Done {
    let mut normal = Normal(21);
    let (points, classes): (Vec<[f64; 3]>, Vec<u32>) = (0..6000)
        .map(|i| {
            let class = i % 10;
            // Ten directions spread over the sphere (golden angle).
            let height = 1.0 - 2.0 * (class as f64 + 0.5) / 10.0;
            let turn = 2.399_963 * class as f64;
            let ring = (1.0 - height * height).sqrt();
            let centre = [ring * turn.cos(), ring * turn.sin(), height];
            let at = centre.map(|c| 1.5 * c + 0.4 * normal.next());
            (at, class as u32)
        })
        .unzip();
    let names = digits();
    let scatter = Scatter3d {
        points: &points,
        classes: (&classes).into(),
        class_names: &names,
        ranges: Some([[-3.0, 3.0]; 3]),
        ..Scatter3d::default()
    };
    let mut panels: Vec<Panel> = Vec::new();
    let mut legend = Vec::new();
    for (title, azimuth, elevation) in [
        ("Seen at 30°", 30.0, 22.0),
        ("at 120°", 120.0, 22.0),
        ("from above", 20.0, 75.0),
    ] {
        let mut plot = Scatter3d {
            title,
            camera: Camera { azimuth, elevation },
            ..scatter.clone()
        }
        .plot()?;
        legend = std::mem::take(&mut plot.legend);
        plot.size = [380.0, 362.0];
        panels.push(plot.into());
    }
    let figure = Figure {
        title: "Codes in three dimensions".into(),
        caption: "MNIST, test, n = 6\u{2009}000; far points are paler.".into(),
        legend,
        ..Figure::row(panels)
    };
    gallery.save("scatter3d", &figure)?;

    let frames = (0..36)
        .map(|step| {
            let plot = Scatter3d {
                camera: Camera {
                    azimuth: 10.0 * f64::from(step),
                    elevation: 22.0,
                },
                ..scatter.clone()
            }
            .plot()?;
            let figure = Figure {
                scale: 1.5,
                caption: "Codes in three dimensions, turning.".into(),
                ..Figure::of(plot)
            };
            Ok(figure.render())
        })
        .collect::<Result<Vec<_>, viz::VizError>>()?;
    let animation = Animation {
        hold: 100,
        most_bytes: Some(1_500_000),
        ..Animation::new(&frames, 100)
    };
    animation.write(
        &gallery.folder.join("scatter3d-animated.png"),
        &sidecar("Turning codes."),
    )?;

    let field = mixture(61);
    let figure = Figure {
        title: "Three posteriors as a surface".into(),
        caption: "Sum of the densities q(z|x) of three images.".into(),
        ..Figure::of(Surface3d::new(&field).plot())
    };
    gallery.save("surface", &figure)
}
