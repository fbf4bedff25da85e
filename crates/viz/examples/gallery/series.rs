use viz::charts::{
    BarChart, BarSeries, Histogram, HistogramSeries, LineChart, Series, SettingCell, SettingChart,
    SettingSeries, Settings, Strip, StripChart,
};
use viz::{Dash, Figure, Panel, Scale, class_colour};

use crate::synthetic::Normal;
use crate::{Done, Gallery};

pub(crate) fn draw(gallery: &Gallery) -> Done {
    lines(gallery)?;
    bars(gallery)?;
    histograms(gallery)?;
    strips(gallery)?;
    settings(gallery)
}

/// A measure against two kinds of settings, over five seeds.
fn settings(gallery: &Gallery) -> Done {
    let betas = [0.5, 1.0, 4.0];
    let models: Vec<String> = ["bernoulli", "gaussian", "two layers"]
        .map(String::from)
        .to_vec();
    let series: Vec<SettingSeries> = [2.0, 8.0]
        .into_iter()
        .map(|latents: f64| SettingSeries {
            name: format!("{latents} latents"),
            cells: betas
                .iter()
                .map(|beta| {
                    let middle = 150.0 + 12.0 * beta - 6.0 * latents.ln();
                    let values: Vec<f64> = (0..5)
                        .map(|seed| middle + 1.5 * f64::from(seed * 7 % 5) - 3.0)
                        .collect();
                    SettingCell {
                        values,
                        interval: Some([middle, middle - 2.6, middle + 2.6]),
                    }
                })
                .collect(),
            ..SettingSeries::default()
        })
        .collect();
    let chart = SettingChart {
        title: "Numbers",
        x_label: "β",
        y_label: "loss, nats per image",
        settings: Settings::Numbers(&betas),
        x_scale: SettingChart::suited_scale(&betas),
        series: &series,
        rules: &[(152.0, "published".into())],
        size: [330.0, 260.0],
        ..SettingChart::default()
    };
    let names = SettingChart {
        title: "Words",
        x_label: "likelihood",
        settings: Settings::Names(&models),
        ..chart.clone()
    };
    let panels = vec![chart.plot()?.into(), names.plot()?.into()];
    let figure = Figure {
        title: "Loss against settings".into(),
        caption: "Points are seeds, dots means with 95 % intervals.".into(),
        ..Figure::row(panels).with_shared_legend()
    };
    gallery.save("settings", &figure)
}

fn lines(gallery: &Gallery) -> Done {
    let curve = |end: f64, gap: f64| -> Vec<[f64; 2]> {
        (1..=30)
            .map(f64::from)
            .map(|e| [e, end + gap + 45.0 * (-0.35 * e).exp() + 12.0 / e])
            .collect()
    };
    let band = |points: &[[f64; 2]]| -> Vec<[f64; 3]> {
        let half = |x: f64| 1.2 + 6.0 / x;
        points
            .iter()
            .map(|p| [p[0], p[1] - half(p[0]), p[1] + half(p[0])])
            .collect()
    };
    let mut series = Vec::new();
    for (index, (name, end)) in [("784-256-2", 150.0), ("784-256-32-8-2", 141.0)]
        .iter()
        .enumerate()
    {
        let (train, test) = (curve(*end, 0.0), curve(*end, 3.0));
        let colour = Some(class_colour(2 * index));
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
    let figure = Figure {
        title: "Training curves".into(),
        caption: "Mean over n = 5 seeds; the band is ± one standard deviation.".into(),
        ..Figure::of(chart.plot())
    };
    gallery.save("lines", &figure)?;
    let small = |title: &'static str| {
        let mut plot = LineChart {
            title,
            y_label: "nats per image",
            ..chart.clone()
        }
        .plot();
        plot.size = [300.0, 220.0];
        plot.legend.clear();
        Panel::from(plot)
    };
    let figure = Figure {
        title: "Loss and its parts".into(),
        caption: "Sum over pixels and dimensions, mean over images.".into(),
        legend: chart.plot().legend,
        ..Figure::row(vec![small("Loss"), small("Reconstruction"), small("KL")])
    };
    gallery.save("lines-multiples", &figure)
}

fn bars(gallery: &Gallery) -> Done {
    let names: Vec<String> = (1..=16).map(|d| d.to_string()).collect();
    let decay = |scale: f64, active: usize| -> Vec<f64> {
        (0..16)
            .map(|d| {
                let noise = 1.0 + 0.3 * f64::from(d * 7 % 5);
                if (d as usize) < active {
                    scale * noise * (-0.12 * f64::from(d)).exp()
                } else {
                    1.3e-4 * noise
                }
            })
            .collect()
    };
    let variances = [
        BarSeries {
            name: "784-256-32-16".into(),
            values: decay(0.8, 13),
            ..BarSeries::default()
        },
        BarSeries {
            name: "784-256-32-24-16".into(),
            values: decay(0.9, 9),
            colour: Some(class_colour(2)),
        },
    ];
    let mut top = BarChart {
        title: "Variance of μ",
        x_label: "latent dimension, sorted",
        y_label: "Var μ",
        categories: &names,
        series: &variances,
        scale: Scale::Log10,
        threshold: Some((0.01, "active above 0.01")),
    }
    .plot()?;
    top.size = [560.0, 240.0];
    let kl = [BarSeries {
        values: decay(2.4, 13),
        ..BarSeries::default()
    }];
    let mut bottom = BarChart {
        title: "KL of each dimension",
        x_label: "latent dimension, sorted",
        y_label: "nats per image",
        categories: &names,
        series: &kl,
        ..BarChart::default()
    }
    .plot()?;
    bottom.size = [560.0, 200.0];
    let figure = Figure {
        title: "Active units".into(),
        caption: "A unit is active when the variance of its mean over the test set is above 0.01 \
                  (Burda et al. 2016); collapsed ones are pale."
            .into(),
        ..Figure::grid(vec![vec![top.into()], vec![bottom.into()]])
    };
    gallery.save("bars", &figure)
}

fn histograms(gallery: &Gallery) -> Done {
    let mut normal = Normal(12);
    let mut draw = |scale: f64, shift: f64| -> Vec<f64> {
        (0..10_000).map(|_| shift + scale * normal.next()).collect()
    };
    let series = [
        HistogramSeries {
            name: "with sampling".into(),
            values: draw(0.95, 0.0),
            ..HistogramSeries::default()
        },
        HistogramSeries {
            name: "without".into(),
            values: draw(0.6, 0.8),
            colour: Some(class_colour(6)),
        },
    ];
    let plot = Histogram {
        x_label: "z₁",
        series: &series,
        range: Some([-4.0, 4.0]),
        standard_normal: true,
        ..Histogram::default()
    }
    .plot();
    let figure = Figure {
        title: "One latent of the aggregate posterior".into(),
        caption: "MNIST, test, n = 10\u{2009}000.".into(),
        ..Figure::of(plot)
    };
    gallery.save("histogram", &figure)
}

fn strips(gallery: &Gallery) -> Done {
    let mut normal = Normal(5);
    let strips: Vec<Strip> = [
        ("VAE 784-256-2", 151.8, 0.5),
        ("VAE 784-256-32-8-2", 143.1, 1.6),
        ("AE-L2 784-256-2", 146.0, 0.3),
        ("AE 784-256-2", 139.5, 2.2),
    ]
    .iter()
    .map(|&(name, middle, spread)| {
        let values: Vec<f64> = (0..5).map(|_| middle + spread * normal.next()).collect();
        let mean = values.iter().sum::<f64>() / 5.0;
        Strip {
            name: name.into(),
            values,
            interval: Some([mean, mean - 1.24 * spread, mean + 1.24 * spread]),
            colour: None,
        }
    })
    .collect();
    let plot = StripChart {
        label: "reconstruction, nats per image",
        strips: &strips,
        rules: &[(137.0, "lowest seen".to_string())],
        ..StripChart::default()
    }
    .plot();
    let figure = Figure {
        title: "Spread over seeds".into(),
        caption: "Points: five seeds. Below: mean and 95 % interval.".into(),
        ..Figure::of(plot)
    };
    gallery.save("strips", &figure)
}
