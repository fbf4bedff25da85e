use viz::charts::{ClassScatter, DensityMap, Posteriors, RegionMap, Trajectories, extent, marks};
use viz::{Animation, ColourMap, Field, Figure, LegendEntry, Rgb, lattice};

use crate::synthetic::{Normal, codes, digits, fashion, gaussian, mixture};
use crate::{Done, Gallery, sidecar};

pub(crate) fn draw(gallery: &Gallery) -> Done {
    scatters(gallery)?;
    marked(gallery)?;
    densities(gallery)?;
    posteriors(gallery)?;
    regions(gallery)?;
    trajectories(gallery)
}

fn scatters(gallery: &Gallery) -> Done {
    let (points, classes) = codes(10_000, 1.3, 1);
    let (digits, fashion) = (digits(), fashion());
    let scatter = ClassScatter {
        points: &points,
        classes: (&classes).into(),
        class_names: &digits,
        prior: true,
        ranges: Some([[-4.0, 4.0], [-4.0, 4.0]]),
        ..ClassScatter::default()
    };
    let figure = Figure {
        title: "Codes of the test images".into(),
        caption: "MNIST, test, n = 10\u{2009}000; VAE 784-256-2. Position is μ, colour the class; \
                  the dashed circles are one and two standard deviations of the prior N(0, I)."
            .into(),
        ..Figure::of(scatter.plot()?)
    };
    gallery.save("scatter", &figure)?;

    let (wide, wide_classes) = codes(10_000, 9.0, 2);
    let left = ClassScatter {
        title: "AE 784-2",
        points: &wide,
        classes: (&wide_classes).into(),
        class_names: &fashion,
        ..ClassScatter::default()
    };
    let right = ClassScatter {
        title: "VAE 784-256-2",
        class_names: &fashion,
        ..scatter
    };
    let (mut left, mut right) = (left.plot()?, right.plot()?);
    let legend = std::mem::take(&mut left.legend);
    right.legend.clear();
    let figure = Figure {
        title: "Two latent spaces".into(),
        caption: "Fashion-MNIST, test, n = 10\u{2009}000, both models with two latents.".into(),
        legend,
        ..Figure::row(vec![left.into(), right.into()])
    };
    gallery.save("scatter-pair", &figure)
}

fn marked(gallery: &Gallery) -> Done {
    let (points, classes) = codes(5_000, 9.0, 3);
    let names = digits();
    let mut plot = ClassScatter {
        title: "AE 784-256-2",
        points: &points,
        classes: (&classes).into(),
        class_names: &names,
        glyphs: &vec![String::new(); 10],
        alpha: Some(0.3),
        ..ClassScatter::default()
    }
    .plot()?;
    let mut normal = Normal(9);
    let chosen: Vec<_> = (0..12)
        .map(|i| {
            (
                [6.0 * normal.next(), 6.0 * normal.next()],
                char::from(b'a' + i).to_string(),
            )
        })
        .collect();
    let ink = Rgb::hex(0x2b3038);
    plot.layers.push(extent([-16.0, 17.0], [-17.0, 18.0], ink));
    plot.layers.extend(marks(&chosen, ink));
    let figure = Figure {
        title: "Random points of the plane".into(),
        caption: "Twelve points drawn at random inside of the codes' extent (dashed) and marked \
                  a to l; the images decoded at them stand in the next figure."
            .into(),
        ..Figure::of(plot)
    };
    gallery.save("marked", &figure)
}

fn densities(gallery: &Gallery) -> Done {
    let field = mixture(81);
    let smooth = DensityMap {
        title: "Aggregate posterior",
        value_label: "density",
        ..DensityMap::new(&field)
    };
    let entropy = Field::sample(21, 21, [-4.0, 4.0], [-4.0, 4.0], |[x, y]| {
        (1.5 * x).sin().abs() + (1.2 * y).cos().abs()
    });
    let cells = DensityMap {
        title: "Class entropy on the map",
        value_label: "bits",
        contours: 0,
        smooth: false,
        ..DensityMap::new(&entropy)
    };
    let difference = Field::sample(61, 61, [-3.0, 3.0], [-3.0, 3.0], |at| {
        gaussian(at, [0.0; 2], [1.0; 2]) - mixture_at(&field, at)
    });
    let signed = DensityMap {
        title: "Prior minus aggregate posterior",
        value_label: "difference of densities",
        map: ColourMap::Diverging,
        limits: Some([-0.3, 0.3]),
        ..DensityMap::new(&difference)
    };
    let figure = Figure {
        title: "Values over the plane".into(),
        caption:
            "Left: smooth with contours. Middle: one cell for each tile. Right: signed values \
                  about zero."
                .into(),
        ..Figure::row(vec![
            smooth.plot().into(),
            cells.plot().into(),
            signed.plot().into(),
        ])
    };
    gallery.save("density", &figure)
}

fn mixture_at(field: &Field, at: [f64; 2]) -> f64 {
    field.at(at)
}

fn posteriors(gallery: &Gallery) -> Done {
    let (means, classes) = codes(20, 1.4, 5);
    let mut normal = Normal(4);
    let deviations: Vec<_> = means
        .iter()
        .map(|_| {
            [
                0.08 + 0.16 * normal.uniform(),
                0.08 + 0.16 * normal.uniform(),
            ]
        })
        .collect();
    let names = fashion();
    let aggregate = Field::sample(101, 101, [-3.0, 3.0], [-3.0, 3.0], |at| {
        gaussian(at, [0.0; 2], [1.0, 0.9])
    });
    let words: Vec<String> = (1..=20).map(|i| i.to_string()).collect();
    let plot = Posteriors {
        means: &means,
        deviations: &deviations,
        classes: (&classes).into(),
        class_names: &names,
        words: &words,
        aggregate: Some(&aggregate),
        ranges: Some([[-3.0, 3.0], [-3.0, 3.0]]),
        ..Posteriors::default()
    }
    .plot()?;
    let figure = Figure {
        title: "Posteriors of twenty images".into(),
        caption: "Ellipses: one and two standard deviations of q(z|x). Grey: density of the \
                  aggregate posterior. Dashed: the prior."
            .into(),
        ..Figure::of(plot)
    };
    gallery.save("posteriors", &figure)
}

fn regions(gallery: &Gallery) -> Done {
    let mut maps = Vec::new();
    let names = digits();
    let mut legend: Vec<LegendEntry> = Vec::new();
    for (title, steps) in [("21 × 21 codes", 21), ("101 × 101 codes", 101)] {
        let (classes, confidences): (Vec<u32>, Vec<f64>) = lattice(steps, -4.0, 4.0)
            .iter()
            .map(|[x, y]| {
                let turn = (y.atan2(*x) / std::f64::consts::TAU).rem_euclid(1.0);
                let class = if x.hypot(*y) < 0.9 {
                    9.0
                } else {
                    (turn * 9.0).floor()
                };
                let edge = ((turn * 9.0).fract() - 0.5).abs();
                (class as u32, (1.15 - 1.5 * edge).clamp(0.0, 1.0))
            })
            .unzip();
        let mut plot = RegionMap {
            title,
            columns: steps,
            rows: steps,
            x: [-4.0, 4.0],
            y: [-4.0, 4.0],
            classes: (&classes).into(),
            confidences: &confidences,
            class_names: &names,
        }
        .plot()?;
        legend = std::mem::take(&mut plot.legend);
        maps.push(plot.into());
    }
    let figure = Figure {
        title: "Which class is decoded where".into(),
        caption: "Class given by a classifier to the decoded image; paler where it is less \
                  certain; lines where the class changes."
            .into(),
        legend,
        ..Figure::row(maps)
    };
    gallery.save("regions", &figure)
}

fn trajectories(gallery: &Gallery) -> Done {
    let names = digits();
    let classes: Vec<u32> = (0..10).collect();
    let (ends, _) = codes(10, 1.5, 8);
    let moment = |step: usize| -> (Vec<Vec<[f64; 2]>>, Vec<f64>) {
        let paths = ends
            .iter()
            .enumerate()
            .map(|(i, end)| {
                (0..=step)
                    .map(|s| {
                        let t = s as f64 / 40.0;
                        let wobble = 0.5 * (1.0 - t) * (9.0 * t + i as f64).sin();
                        let grown = 1.0 - (-4.0 * t).exp();
                        [
                            end[0] * grown + wobble * t,
                            end[1] * grown - 0.8 * wobble * t,
                        ]
                    })
                    .collect()
            })
            .collect();
        let radius = 0.1 + 0.9 * (-5.0 * step as f64 / 40.0).exp();
        (paths, vec![radius; 10])
    };
    let figure_at = |steps: &[usize]| -> Result<Figure, viz::VizError> {
        let mut panels = Vec::new();
        let mut legend = Vec::new();
        for &step in steps {
            let (paths, radii) = moment(step);
            let title = format!("Epoch {:.2}", step as f64 / 8.0);
            let mut plot = Trajectories {
                title: &title,
                paths: &paths,
                radii: &radii,
                classes: (&classes).into(),
                class_names: &names,
                words: &names,
                ranges: Some([[-3.0, 3.0], [-3.0, 3.0]]),
                tail: 12,
                ..Trajectories::default()
            }
            .plot()?;
            if steps.len() > 1 {
                plot.size = [250.0, 250.0];
            }
            legend = std::mem::take(&mut plot.legend);
            panels.push(plot.into());
        }
        Ok(Figure {
            title: "Ten digits during training".into(),
            caption: "Position: μ. Circle: radius r with r² the geometric mean of both variances."
                .into(),
            legend,
            ..Figure::row(panels)
        })
    };
    gallery.save("trajectories", &figure_at(&[1, 8, 20, 40])?)?;
    let frames = (0..=40)
        .map(|step| {
            let figure = figure_at(&[step])?;
            Ok(Figure {
                scale: 1.5,
                ..figure
            }
            .render())
        })
        .collect::<Result<Vec<_>, viz::VizError>>()?;
    Animation::new(&frames, 90).write(
        &gallery.folder.join("trajectories-animated.png"),
        &sidecar("Ten digits during training."),
    )?;
    Ok(())
}
