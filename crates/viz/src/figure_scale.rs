//! A figure sized for what it is shown on.
//!
//! Letters, lines and markers keep their size in canvas units. What changes is how large the
//! panels are in these units, how long a unit is, and how many pixels it has.

use std::fmt;
use std::str::FromStr;

use crate::{Figure, LegendAt, Panel, VizError};

/// What a figure is sized for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Hash)]
pub enum FigureScale {
    /// A page on a screen, seen at half the size of its pixels: ticks of 12 CSS pixels.
    #[default]
    Screen,
    /// A projector: the same pixels inside of the axes, with text, lines and markers half as large
    /// again.
    Slide,
    /// A printed column at 300 dots per inch: 85 mm wide if the figure is one panel wide, 180 mm
    /// otherwise, or less if the figure is small, with the only legend below. Ticks are letters of 7 points; only where the
    /// panels would be narrower than a quarter of what they are on a screen, letters shrink, to 5
    /// points at least. Beyond, the figure gets wider.
    Paper,
}

impl FigureScale {
    /// Every scale.
    pub const ALL: [FigureScale; 3] = [FigureScale::Screen, FigureScale::Slide, FigureScale::Paper];

    fn name(self) -> &'static str {
        match self {
            FigureScale::Screen => "screen",
            FigureScale::Slide => "slide",
            FigureScale::Paper => "paper",
        }
    }

    /// Length of a canvas unit, typographic points; on paper, at most.
    pub(crate) fn points(self) -> f64 {
        match self {
            // A CSS pixel.
            FigureScale::Screen => 0.75,
            FigureScale::Slide => 0.75 / SLIDE_PANELS,
            FigureScale::Paper => 7.0 / crate::theme::TICK_SIZE,
        }
    }
}

impl fmt::Display for FigureScale {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for FigureScale {
    type Err = VizError;

    fn from_str(text: &str) -> Result<FigureScale, VizError> {
        FigureScale::ALL
            .into_iter()
            .find(|scale| scale.name() == text)
            .ok_or_else(|| {
                VizError::shape(
                    "scale of a figure",
                    format!("{text:?}"),
                    "screen, slide or paper",
                )
            })
    }
}

/// A figure for one output, with the length of its canvas unit in typographic points.
pub(crate) struct Presented {
    pub(crate) figure: Figure,
    pub(crate) points: f64,
    pub(crate) pixels_per_metre: Option<u32>,
}

const SLIDE_PANELS: f64 = 2.0 / 3.0;
/// Smallest panels on paper, as a share of what they are on a screen.
const LEAST_PANELS: f64 = 0.25;
const LEAST_LETTERS: f64 = 5.0 / 7.0;
const COLUMN_MM: f64 = 85.0;
const PAGE_MM: f64 = 180.0;
const POINTS_PER_MM: f64 = 72.0 / 25.4;
const DOTS_PER_POINT: f64 = 300.0 / 72.0;
/// 300 dots per inch.
const DOTS_PER_METRE: u32 = 11_811;

impl Figure {
    pub(crate) fn presented(&self, bare: bool, scale: FigureScale) -> Presented {
        let mut figure = self.clone();
        if bare {
            figure.title.clear();
            figure.caption.clear();
        }
        let mut points = scale.points();
        match scale {
            FigureScale::Screen => {}
            FigureScale::Slide => {
                figure.resize_panels(SLIDE_PANELS);
                figure.scale /= SLIDE_PANELS;
            }
            FigureScale::Paper => {
                figure.move_legend_below();
                let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
                let limit = if columns > 1 { PAGE_MM } else { COLUMN_MM } * POINTS_PER_MM;
                let share = figure.share_that_fits(limit / points);
                figure.resize_panels(share);
                points *= (limit / points / figure.panels_width()).clamp(LEAST_LETTERS, 1.0);
                figure.scale = points * DOTS_PER_POINT;
            }
        }
        Presented {
            figure,
            points,
            pixels_per_metre: (scale == FigureScale::Paper).then_some(DOTS_PER_METRE),
        }
    }

    /// The legend beside the only panel that has one goes below all panels, which then have the
    /// width.
    fn move_legend_below(&mut self) {
        let beside = |panel: &&mut Panel| match panel {
            Panel::Plot(plot) => plot.legend_at == LegendAt::Right && !plot.legend.is_empty(),
            _ => false,
        };
        let mut owners: Vec<&mut Panel> = self.rows.iter_mut().flatten().filter(beside).collect();
        if let ([Panel::Plot(plot)], true) = (&mut owners[..], self.legend.is_empty()) {
            self.legend = std::mem::take(&mut plot.legend);
        }
    }

    /// The largest share of the panels' sizes at which they are no wider than `width`.
    fn share_that_fits(&self, width: f64) -> f64 {
        // Without what is drawn, copies are cheap.
        let mut empty = self.clone();
        for panel in empty.rows.iter_mut().flatten() {
            if let Panel::Plot(plot) = panel {
                plot.layers.clear();
            }
        }
        let fits = |share: f64| {
            let mut resized = empty.clone();
            resized.resize_panels(share);
            resized.panels_width() <= width
        };
        if fits(1.0) {
            return 1.0;
        }
        let (mut low, mut high) = (LEAST_PANELS, 1.0);
        for _ in 0..20 {
            let middle = 0.5 * (low + high);
            if fits(middle) {
                low = middle;
            } else {
                high = middle;
            }
        }
        low
    }

    fn resize_panels(&mut self, share: f64) {
        for panel in self.rows.iter_mut().flatten() {
            match panel {
                Panel::Plot(plot) => plot.size = plot.size.map(|side| side * share),
                Panel::Tiles(tiles) => tiles.pixel *= share,
                Panel::Empty => {}
            }
        }
    }
}
