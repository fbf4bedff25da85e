use crate::axis::{Axis, Ticks};
use crate::canvas::{Across, Along, Canvas, TextLook};
use crate::draw_layer::{Mapping, draw};
use crate::font::{Weight, text_width};
use crate::layer::Layer;
use crate::legend::{ColourBar, LEGEND_LINE, LegendColumns, LegendEntry};
use crate::obstacles::Obstacles;
use crate::{Rgb, theme};

/// Axes with layers: one panel of a figure.
#[derive(Clone, Debug)]
pub struct Plot {
    /// Title above the axes; empty for none.
    pub title: String,
    /// Horizontal axis.
    pub x: Axis,
    /// Vertical axis.
    pub y: Axis,
    /// Width and height inside of the axes, canvas units.
    pub size: [f64; 2],
    /// Whether a unit has the same length on both axes.
    pub aspect: Aspect,
    /// What surrounds the data.
    pub frame: Frame,
    /// Light lines at the ticks of the horizontal and of the vertical axis.
    pub grid: [bool; 2],
    /// What is drawn, first to last.
    pub layers: Vec<Layer>,
    /// The legend's entries.
    pub legend: Vec<LegendEntry>,
    /// Where the legend stands.
    pub legend_at: LegendAt,
    /// A bar that explains colours.
    pub colour_bar: Option<ColourBar>,
}

impl Default for Plot {
    fn default() -> Plot {
        Plot {
            title: String::new(),
            x: Axis::linear("", 0.0, 1.0),
            y: Axis::linear("", 0.0, 1.0),
            size: [460.0, 300.0],
            aspect: Aspect::Free,
            frame: Frame::Open,
            grid: [true, true],
            layers: Vec::new(),
            legend: Vec::new(),
            legend_at: LegendAt::Right,
            colour_bar: None,
        }
    }
}

/// How a plot relates the lengths of its axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Aspect {
    /// Not at all.
    #[default]
    Free,
    /// Equal units: the plot's size shrinks on one side to keep both ranges.
    EqualSize,
    /// Equal units: one range grows about its middle to keep the plot's size.
    EqualRange,
}

/// What surrounds the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Frame {
    /// The left and the lower axis.
    #[default]
    Open,
    /// All four sides.
    Closed,
    /// Nothing, no ticks either.
    None,
}

/// Where a plot's legend stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum LegendAt {
    /// Right of the axes.
    #[default]
    Right,
    /// Inside, at the upper right.
    TopRight,
    /// Inside, at the upper left.
    TopLeft,
    /// Inside, at the lower right.
    BottomRight,
}

/// Room that a panel needs around its data, canvas units.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Margins {
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) right: f64,
    pub(crate) bottom: f64,
}

const BAR_GAP: f64 = 14.0;
const LEGEND_GAP: f64 = 18.0;
const LEGEND_INSET: f64 = 10.0;
/// A legend beside the axes has a column of so many entries before a second one, also beside
/// small plots.
const MIN_LEGEND_ROWS: usize = 22;
const MAX_LEGEND_COLUMNS: usize = 3;

impl Plot {
    /// The plot with another width and height inside of the axes, canvas units.
    #[must_use]
    pub fn with_size(mut self, size: [f64; 2]) -> Plot {
        self.size = size;
        self
    }

    /// The plot with its legend elsewhere; see also
    /// [`Figure::with_shared_legend`](crate::Figure::with_shared_legend).
    #[must_use]
    pub fn with_legend_at(mut self, legend_at: LegendAt) -> Plot {
        self.legend_at = legend_at;
        self
    }

    /// The plot with a layer below all others.
    #[must_use]
    pub fn below_data(mut self, layer: Layer) -> Plot {
        self.layers.insert(0, layer);
        self
    }

    /// The plot with a layer above the data and below their names.
    ///
    /// ```
    /// use viz::charts::{ClassScatter, extent};
    /// use viz::{Layer, Rgb};
    /// let scatter = ClassScatter { points: &[[0.0, 1.0]], ..ClassScatter::default() };
    /// let plot = scatter.plot()?.over_data(extent([-4.0, 4.0], [-4.0, 4.0], Rgb::BLACK));
    /// assert!(matches!(plot.layers[1], Layer::Line(_)));
    /// assert!(matches!(plot.layers[2], Layer::Labels(_)));
    /// # Ok::<(), viz::VizError>(())
    /// ```
    #[must_use]
    pub fn over_data(mut self, layer: Layer) -> Plot {
        let names = |layer: &Layer| matches!(layer, Layer::Labels(_));
        let at = self.layers.iter().rposition(|layer| !names(layer));
        self.layers.insert(at.map_or(0, |at| at + 1), layer);
        self
    }

    /// Number of points that are left out of the picture because a coordinate is not finite; of
    /// other layers such places are gaps.
    ///
    /// ```
    /// let points = [[0.0, 1.0], [f64::NAN, 1.0], [2.0, f64::INFINITY]];
    /// let plot = viz::charts::ClassScatter { points: &points, ..Default::default() }.plot()?;
    /// assert_eq!(plot.left_out(), 2);
    /// # Ok::<(), viz::VizError>(())
    /// ```
    pub fn left_out(&self) -> usize {
        let points = self.layers.iter().flat_map(|layer| match layer {
            Layer::Points(points) => points.points.as_slice(),
            _ => &[],
        });
        points
            .filter(|point| point.at.iter().any(|v| !v.is_finite()))
            .count()
    }

    /// The plot with ranges that can be drawn, and ranges and size that agree with its aspect.
    pub(crate) fn resolved(&self) -> Plot {
        let mut plot = self.clone();
        (plot.x, plot.y) = (plot.x.drawable(), plot.y.drawable());
        let (x_span, y_span) = (plot.x.high - plot.x.low, plot.y.high - plot.y.low);
        let units = [plot.size[0] / x_span, plot.size[1] / y_span];
        match plot.aspect {
            Aspect::Free => {}
            Aspect::EqualSize => {
                let unit = units[0].min(units[1]);
                // A line has no side of no length.
                plot.size = [(unit * x_span).max(1.0), (unit * y_span).max(1.0)];
            }
            Aspect::EqualRange => {
                let unit = units[0].min(units[1]);
                let grow = |axis: &mut Axis, size: f64| {
                    let middle = 0.5 * (axis.low + axis.high);
                    let half = 0.5 * size / unit;
                    (axis.low, axis.high) = (middle - half, middle + half);
                };
                grow(&mut plot.x, self.size[0]);
                grow(&mut plot.y, self.size[1]);
            }
        }
        if plot.frame == Frame::None {
            plot.x.ticks = Ticks::None;
            plot.y.ticks = Ticks::None;
            plot.x.label.clear();
            plot.y.label.clear();
        }
        plot
    }

    pub(crate) fn margins(&self) -> Margins {
        let x_ticks = self.x.tick_labels();
        let last = x_ticks
            .iter()
            .map(|(value, label)| {
                let beyond = (self.x.fraction(*value) - 1.0) * self.size[0];
                beyond + 0.5 * text_width(label, theme::TICK_SIZE, Weight::Regular)
            })
            .fold(0.0, f64::max);
        let first = x_ticks
            .iter()
            .map(|(value, label)| {
                let before = -self.x.fraction(*value) * self.size[0];
                before + 0.5 * text_width(label, theme::TICK_SIZE, Weight::Regular)
            })
            .fold(0.0, f64::max);
        let title_overhang = (text_width(&self.title, theme::PANEL_TITLE_SIZE, Weight::SemiBold)
            - self.size[0])
            .max(0.0);
        let mut right = (last + 2.0).max(4.0);
        if let Some(bar) = &self.colour_bar {
            right = right.max(BAR_GAP + bar.width());
        }
        if self.legend_at == LegendAt::Right && !self.legend.is_empty() {
            right += LEGEND_GAP + self.legend_columns().size()[0];
        }
        // Half of what an axis' name is longer than the axis.
        let overhang = |label: &str, length: f64| {
            0.5 * (text_width(label, theme::LABEL_SIZE, Weight::Regular) - length).max(0.0)
        };
        let x_name = overhang(&self.x.label, self.size[0]);
        let bar_name = self.colour_bar.as_ref().map_or("", |bar| &bar.label);
        let y_name = overhang(&self.y.label, self.size[1]).max(overhang(bar_name, self.size[1]));
        let legend_overhang = match self.legend_at {
            LegendAt::Right => self.legend_columns().size()[1] - self.size[1],
            _ => 0.0,
        };
        Margins {
            left: self.y_label_area().max(first).max(x_name),
            top: if self.title.is_empty() {
                y_name.max(8.0)
            } else {
                y_name + 12.0 + theme::PANEL_TITLE_SIZE
            },
            right: right.max(title_overhang).max(x_name),
            bottom: (self.x_label_area() + 2.0).max(y_name).max(legend_overhang),
        }
    }

    /// Draws the plot with the upper left corner of its data at (left, top).
    pub(crate) fn draw(&self, canvas: &mut Canvas, left: f64, top: f64) {
        // Whole pixels: images and frames stay crisp.
        let scale = canvas.scale();
        let snap = |length: f64| (length * scale).round() / scale;
        let (left, top) = (snap(left), snap(top));
        let (width, height) = (snap(self.size[0]), snap(self.size[1]));
        let map = Mapping {
            left,
            top,
            width,
            height,
            x: &self.x,
            y: &self.y,
        };
        if self.frame == Frame::Closed {
            // The lines of the axes reach a pixel into the data, where an image
            // may be; the frame drawn at the end lies outside.
            self.draw_axes(canvas, &map);
            canvas.rectangle(left, top, width, height, Rgb::WHITE, 1.0);
        }
        if self.grid != [false, false] && self.frame != Frame::None {
            self.draw_grid(canvas, &map);
        }
        canvas.clip(left, top, width, height);
        let mut obstacles = Obstacles::of(&self.layers, &map);
        for layer in &self.layers {
            draw(canvas, &map, layer, &mut obstacles);
        }
        canvas.unclip();
        match self.frame {
            Frame::Open => self.draw_axes(canvas, &map),
            Frame::Closed => draw_frame(canvas, left, top, width, height),
            Frame::None => {}
        }
        if !self.title.is_empty() {
            canvas.text(
                &self.title,
                [left, top - 11.0],
                Across::Left,
                Along::Baseline,
                TextLook::new(theme::PANEL_TITLE_SIZE, theme::INK).semi_bold(),
            );
        }
        if let Some(bar) = &self.colour_bar {
            bar.draw(canvas, left + width + BAR_GAP, top, height);
        }
        self.draw_legend(canvas, left, top, width, height);
    }

    fn legend_columns(&self) -> LegendColumns {
        let rows = |height: f64| (height / LEGEND_LINE).max(1.0) as usize;
        match self.legend_at {
            LegendAt::Right => LegendColumns::new(
                &self.legend,
                rows(self.size[1]).max(MIN_LEGEND_ROWS),
                MAX_LEGEND_COLUMNS,
            ),
            _ => LegendColumns::new(&self.legend, rows(self.size[1] - 2.0 * LEGEND_INSET), 1),
        }
    }

    fn draw_legend(&self, canvas: &mut Canvas, left: f64, top: f64, width: f64, height: f64) {
        if self.legend.is_empty() {
            return;
        }
        let legend = self.legend_columns();
        let size = legend.size();
        let inset = LEGEND_INSET;
        let (x, y) = match self.legend_at {
            LegendAt::Right => {
                let bar = self
                    .colour_bar
                    .as_ref()
                    .map_or(0.0, |bar| BAR_GAP + bar.width());
                (left + width + bar + LEGEND_GAP, top)
            }
            LegendAt::TopRight => (left + width - size[0] - inset, top + inset),
            LegendAt::TopLeft => (left + inset, top + inset),
            LegendAt::BottomRight => (
                left + width - size[0] - inset,
                top + height - size[1] - inset,
            ),
        };
        if self.legend_at != LegendAt::Right {
            canvas.rectangle(
                x - 6.0,
                y - 5.0,
                size[0] + 12.0,
                size[1] + 10.0,
                Rgb::WHITE,
                0.85,
            );
        }
        legend.draw(canvas, x, y);
    }
}

/// The four sides just outside of a rectangle, as thick as the lines of the axes.
fn draw_frame(canvas: &mut Canvas, left: f64, top: f64, width: f64, height: f64) {
    let line = canvas.scale().round().max(1.0) / canvas.scale();
    let (outer_left, outer_top) = (left - line, top - line);
    let (outer_width, outer_height) = (width + 2.0 * line, height + 2.0 * line);
    let sides = [
        [outer_left, outer_top, outer_width, line],
        [outer_left, top + height, outer_width, line],
        [outer_left, outer_top, line, outer_height],
        [left + width, outer_top, line, outer_height],
    ];
    for [x, y, w, h] in sides {
        canvas.rectangle(x, y, w, h, theme::AXIS, 1.0);
    }
}
