//! Draws every chart with synthetic data into `target/gallery`, to be looked at.
//!
//! `cargo run -p viz --example gallery [FOLDER]`

use std::path::{Path, PathBuf};

use viz::charts::{ClassScatter, LineChart, Series};
use viz::{Dash, Figure, Panel, Sidecar, write_figure};

type Done = Result<(), Box<dyn std::error::Error>>;

fn main() -> Done {
    let folder = std::env::args_os()
        .nth(1)
        .map_or_else(|| PathBuf::from("target/gallery"), PathBuf::from);
    std::fs::create_dir_all(&folder)?;
    scatters(&folder)?;
    lines(&folder)?;
    Ok(())
}

fn save(folder: &Path, name: &str, figure: &Figure) -> Done {
    let sidecar = Sidecar {
        description: figure.caption.clone(),
        ..Sidecar::default()
    };
    write_figure(
        &folder.join(format!("{name}.png")),
        &figure.render(),
        &sidecar,
    )?;
    Ok(())
}

/// A deterministic stream of normal deviates (Box–Muller over a Weyl sequence through SplitMix64).
struct Normal(u64);

impl Normal {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn next(&mut self) -> f64 {
        let (u, v) = (1.0 - self.uniform(), self.uniform());
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    }
}

fn names() -> Vec<String> {
    (0..10).map(|digit| digit.to_string()).collect()
}

fn fashion() -> Vec<String> {
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

/// Ten elongated clusters, as codes of images are.
fn codes(count: usize, spread: f64, seed: u64) -> (Vec<[f64; 2]>, Vec<u8>) {
    let mut normal = Normal(seed);
    (0..count)
        .map(|i| {
            let class = i % 10;
            let turn = class as f64 * 0.628 + 0.3;
            let reach = if class == 8 { 0.1 } else { spread };
            let (along, across) = (0.5 * spread * normal.next(), 0.18 * spread * normal.next());
            let radius = reach + 0.6 * along;
            (
                [
                    radius * turn.cos() - across * turn.sin(),
                    radius * turn.sin() + across * turn.cos(),
                ],
                class as u8,
            )
        })
        .unzip()
}

fn scatters(folder: &Path) -> Done {
    let (points, classes) = codes(10_000, 1.3, 1);
    let (digits, fashion) = (names(), fashion());
    let scatter = ClassScatter {
        points: &points,
        classes: &classes,
        class_names: &digits,
        prior: true,
        ranges: Some([[-4.0, 4.0], [-4.0, 4.0]]),
        ..ClassScatter::default()
    };
    let figure = Figure {
        title: "Codes of the test images".into(),
        caption: "MNIST, test, n = 10 000; VAE 784-256-2. Position is μ, colour the class; the \
                  dashed circles are one and two standard deviations of the prior N(0, I)."
            .into(),
        ..Figure::of(scatter.plot()?)
    };
    save(folder, "scatter", &figure)?;

    let (wide, wide_classes) = codes(10_000, 9.0, 2);
    let left = ClassScatter {
        title: "AE 784-2",
        points: &wide,
        classes: &wide_classes,
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
        caption: "Fashion-MNIST, test, n = 10 000, both models with two latents.".into(),
        legend,
        ..Figure::row(vec![left.into(), right.into()])
    };
    save(folder, "scatter-pair", &figure)
}

fn lines(folder: &Path) -> Done {
    let curve = |end: f64, gap: f64| -> Vec<[f64; 2]> {
        (1..=30)
            .map(|e| {
                [
                    f64::from(e),
                    end + gap + 45.0 * (-0.35 * f64::from(e)).exp() + 12.0 / f64::from(e),
                ]
            })
            .collect()
    };
    let band = |points: &[[f64; 2]]| -> Vec<[f64; 3]> {
        points
            .iter()
            .map(|p| [p[0], p[1] - 1.2 - 6.0 / p[0], p[1] + 1.2 + 6.0 / p[0]])
            .collect()
    };
    let mut series = Vec::new();
    for (index, (name, end)) in [("784-256-2", 150.0), ("784-256-32-8-2", 141.0)]
        .iter()
        .enumerate()
    {
        let (train, test) = (curve(*end, 0.0), curve(*end, 3.0));
        let colour = Some(viz::class_colour(2 * index));
        series.push(Series {
            name: format!("{name}, test"),
            band: band(&test),
            points: test,
            colour,
            ..Series::default()
        });
        series.push(Series {
            name: format!("{name}, train"),
            points: train,
            colour,
            dash: Dash::Dashed,
            ..Series::default()
        });
    }
    let chart = LineChart {
        y_label: "loss, nats per image",
        series: &series,
        ..LineChart::default()
    };
    let small = |title: &'static str, y_label: &'static str| {
        let mut plot = LineChart {
            title,
            y_label,
            ..chart.clone()
        }
        .plot();
        plot.size = [300.0, 220.0];
        plot.legend.clear();
        Panel::from(plot)
    };
    let figure = Figure {
        title: "Training curves".into(),
        caption: "Mean over n = 5 seeds; the band is ± one standard deviation.".into(),
        ..Figure::of(chart.plot())
    };
    save(folder, "lines", &figure)?;
    let figure = Figure {
        title: "Loss and its parts".into(),
        caption: "Left: reconstruction. Right: divergence from the prior. Sum over pixels, mean over images.".into(),
        legend: chart.plot().legend,
        ..Figure::row(vec![small("Reconstruction", "nats per image"), small("KL", "nats per image")])
    };
    save(folder, "lines-multiples", &figure)
}
