use plotters::chart::ChartBuilder;
use plotters::drawing::IntoDrawingArea;
use plotters::style::{Color, FontFamily, FontStyle, RGBColor, ShapeStyle, TextStyle};

use crate::axis::{Axis, TickedAxis, Ticks};
use crate::canvas::{Across, Along, Canvas, Pen, TextLook};
use crate::draw_layer::{Mapping, draw, marker};
use crate::font::{Weight, text_width};
use crate::layer::{Dash, Layer, Shape};
use crate::number::nice_ticks;
use crate::plotters_canvas::PlottersCanvas;
use crate::{ColourMap, Rgb, theme};

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
    /// Light lines at the ticks.
    pub grid: bool,
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
            grid: true,
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

/// A legend's entry.
#[derive(Clone, Debug, PartialEq)]
pub struct LegendEntry {
    /// What it stands for.
    pub label: String,
    /// Its colour.
    pub colour: Rgb,
    /// Its sign.
    pub swatch: Swatch,
}

impl LegendEntry {
    /// An entry.
    pub fn new(label: impl Into<String>, colour: Rgb, swatch: Swatch) -> LegendEntry {
        LegendEntry {
            label: label.into(),
            colour,
            swatch,
        }
    }
}

/// A legend's sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swatch {
    /// A marker.
    Marker(Shape),
    /// A piece of line.
    Line(Dash),
    /// A filled square, for bars and regions.
    Patch,
}

/// A bar that explains a heat map's colours.
#[derive(Clone, Debug, PartialEq)]
pub struct ColourBar {
    /// Name with unit.
    pub label: String,
    /// The colours.
    pub map: ColourMap,
    /// Values of their ends.
    pub limits: [f64; 2],
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
const BAR_WIDTH: f64 = 14.0;
const LEGEND_GAP: f64 = 18.0;
const LEGEND_LINE: f64 = 20.0;

impl Plot {
    /// The plot with ranges and size that agree with its aspect.
    pub(crate) fn resolved(&self) -> Plot {
        let mut plot = self.clone();
        let (x_span, y_span) = (plot.x.high - plot.x.low, plot.y.high - plot.y.low);
        let units = [plot.size[0] / x_span, plot.size[1] / y_span];
        match plot.aspect {
            Aspect::Free => {}
            Aspect::EqualSize => {
                let unit = units[0].min(units[1]);
                plot.size = [unit * x_span, unit * y_span];
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
        let widest = |ticks: &[(f64, String)]| {
            ticks
                .iter()
                .map(|(_, label)| text_width(label, theme::TICK_SIZE, Weight::Regular))
                .fold(0.0, f64::max)
        };
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
            right = right.max(BAR_GAP + self.bar_width(bar));
        }
        if self.legend_at == LegendAt::Right && !self.legend.is_empty() {
            right += LEGEND_GAP + legend_size(&self.legend)[0];
        }
        Margins {
            left: self.y_label_area().max(first),
            top: if self.title.is_empty() {
                8.0
            } else {
                12.0 + theme::PANEL_TITLE_SIZE
            },
            right: right.max(title_overhang),
            bottom: self.x_label_area() + 2.0 + widest(&[]),
        }
    }

    fn y_label_area(&self) -> f64 {
        let widest = self
            .y
            .tick_labels()
            .iter()
            .map(|(_, label)| text_width(label, theme::TICK_SIZE, Weight::Regular))
            .fold(0.0, f64::max);
        let ticks = if widest > 0.0 {
            2.0 * theme::TICK_LENGTH + widest
        } else {
            0.0
        };
        let label = if self.y.label.is_empty() {
            0.0
        } else {
            12.0 + theme::LABEL_SIZE
        };
        ticks + label + 2.0
    }

    fn x_label_area(&self) -> f64 {
        let ticks = if self.x.tick_labels().is_empty() {
            0.0
        } else {
            2.0 * theme::TICK_LENGTH + theme::TICK_SIZE
        };
        let label = if self.x.label.is_empty() {
            0.0
        } else {
            8.0 + theme::LABEL_SIZE
        };
        ticks + label + 2.0
    }

    fn bar_width(&self, bar: &ColourBar) -> f64 {
        let widest = bar
            .ticks()
            .iter()
            .map(|(_, label)| text_width(label, theme::TICK_SIZE, Weight::Regular))
            .fold(0.0, f64::max);
        let label = if bar.label.is_empty() {
            0.0
        } else {
            10.0 + theme::LABEL_SIZE
        };
        BAR_WIDTH + 7.0 + widest + label
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
        if self.grid && self.frame != Frame::None {
            self.draw_axes(canvas, &map, AxesPass::Grid);
        }
        canvas.clip(left, top, width, height);
        for layer in &self.layers {
            draw(canvas, &map, layer);
        }
        canvas.unclip();
        if self.frame != Frame::None {
            self.draw_axes(canvas, &map, AxesPass::Axes);
        }
        if self.frame == Frame::Closed {
            let line = 1.0;
            canvas.rectangle(left, top - line, width + line, line, theme::AXIS, 1.0);
            canvas.rectangle(
                left + width,
                top - line,
                line,
                height + line,
                theme::AXIS,
                1.0,
            );
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

    fn draw_legend(&self, canvas: &mut Canvas, left: f64, top: f64, width: f64, height: f64) {
        if self.legend.is_empty() {
            return;
        }
        let size = legend_size(&self.legend);
        let inset = 10.0;
        let (x, y) = match self.legend_at {
            LegendAt::Right => {
                let bar = self
                    .colour_bar
                    .as_ref()
                    .map_or(0.0, |bar| BAR_GAP + self.bar_width(bar));
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
        for (index, entry) in self.legend.iter().enumerate() {
            entry.draw(canvas, x, y + (index as f64 + 0.5) * LEGEND_LINE);
        }
    }

    fn draw_axes(&self, canvas: &mut Canvas, map: &Mapping<'_>, pass: AxesPass) {
        let scale = canvas.scale();
        let pixels = |length: f64| (length * scale).round() as u32;
        let (y_area, x_area) = (pixels(self.y_label_area()), pixels(self.x_label_area()));
        let corner = (
            pixels(map.left) as i32 - y_area as i32,
            pixels(map.top) as i32,
        );
        let size = (pixels(map.width) + y_area, pixels(map.height) + x_area);
        let tick_style = text_style(theme::TICK_SIZE * scale, theme::SOFT);
        let label_style = text_style(theme::LABEL_SIZE * scale, theme::INK);
        let line = |colour: Rgb| ShapeStyle {
            color: RGBColor(colour.0, colour.1, colour.2).to_rgba(),
            filled: true,
            stroke_width: scale.round().max(1.0) as u32,
        };
        let root = PlottersCanvas(canvas).into_drawing_area();
        let area = root.shrink(corner, size);
        let drawn = ChartBuilder::on(&area)
            .x_label_area_size(x_area)
            .y_label_area_size(y_area)
            .build_cartesian_2d(TickedAxis::new(&self.x), TickedAxis::new(&self.y))
            .and_then(|mut chart| {
                let mut mesh = chart.configure_mesh();
                mesh.light_line_style(line(theme::GRID))
                    .bold_line_style(line(theme::GRID))
                    .axis_style(line(theme::AXIS))
                    .x_label_style(tick_style.clone())
                    .y_label_style(tick_style)
                    .axis_desc_style(label_style)
                    .max_light_lines(0);
                match pass {
                    AxesPass::Grid => mesh
                        .disable_axes()
                        .x_label_formatter(&|_| String::new())
                        .y_label_formatter(&|_| String::new())
                        .set_all_tick_mark_size(0u32)
                        .draw(),
                    AxesPass::Axes => mesh
                        .disable_mesh()
                        .x_desc(self.x.label.clone())
                        .y_desc(self.y.label.clone())
                        .set_all_tick_mark_size(pixels(theme::TICK_LENGTH))
                        .draw(),
                }
            });
        // The canvas takes every shape, and text needs no font of plotters'.
        drawn.expect("drawing on a canvas in memory cannot fail");
    }
}

#[derive(Clone, Copy, PartialEq)]
enum AxesPass {
    Grid,
    Axes,
}

impl ColourBar {
    fn ticks(&self) -> Vec<(f64, String)> {
        nice_ticks(self.limits[0], self.limits[1], 5)
    }

    fn draw(&self, canvas: &mut Canvas, left: f64, top: f64, height: f64) {
        let steps = 256;
        for step in 0..steps {
            let from = top + height * f64::from(step) / f64::from(steps);
            let to = top + height * f64::from(step + 1) / f64::from(steps);
            let colour = self
                .map
                .at(1.0 - (f64::from(step) + 0.5) / f64::from(steps));
            canvas.rectangle(left, from, BAR_WIDTH, to - from, colour, 1.0);
        }
        let mut widest = 0.0f64;
        for (value, label) in self.ticks() {
            let fraction = (value - self.limits[0]) / (self.limits[1] - self.limits[0]);
            let y = top + (1.0 - fraction) * height;
            let right = left + BAR_WIDTH;
            canvas.line([right, y], [right + 3.0, y], Pen::new(theme::AXIS, 1.0));
            canvas.text(
                &label,
                [right + 7.0, y],
                Across::Left,
                Along::Middle,
                TextLook::new(theme::TICK_SIZE, theme::SOFT),
            );
            widest = widest.max(text_width(&label, theme::TICK_SIZE, Weight::Regular));
        }
        canvas.text(
            &self.label,
            [left + BAR_WIDTH + 7.0 + widest + 8.0, top + 0.5 * height],
            Across::Centre,
            Along::Top,
            TextLook {
                turned: true,
                ..TextLook::new(theme::LABEL_SIZE, theme::INK)
            },
        );
    }
}

impl LegendEntry {
    /// Width of sign and label.
    pub(crate) fn width(&self) -> f64 {
        self.text_offset() + text_width(&self.label, theme::LEGEND_SIZE, Weight::Regular)
    }

    fn text_offset(&self) -> f64 {
        match self.swatch {
            Swatch::Marker(_) => 17.0,
            Swatch::Line(_) => 26.0,
            Swatch::Patch => 21.0,
        }
    }

    pub(crate) fn draw(&self, canvas: &mut Canvas, left: f64, middle: f64) {
        match self.swatch {
            Swatch::Marker(shape) => {
                let at = [left + 6.0, middle];
                marker(canvas, at, shape, 4.5, self.colour, 1.0, None);
            }
            Swatch::Line(dash) => canvas.line(
                [left, middle],
                [left + 18.0, middle],
                Pen {
                    dash: dash.pattern(1.8),
                    ..Pen::new(self.colour, 2.2)
                },
            ),
            Swatch::Patch => {
                canvas.rectangle(left, middle - 6.0, 14.0, 12.0, self.colour, 1.0);
            }
        }
        canvas.text(
            &self.label,
            [left + self.text_offset(), middle],
            Across::Left,
            Along::Middle,
            TextLook::new(theme::LEGEND_SIZE, theme::INK),
        );
    }
}

fn legend_size(entries: &[LegendEntry]) -> [f64; 2] {
    let width = entries.iter().map(LegendEntry::width).fold(0.0, f64::max);
    [width, entries.len() as f64 * LEGEND_LINE]
}

fn text_style(pixels: f64, colour: Rgb) -> TextStyle<'static> {
    let mut style = TextStyle::from((FontFamily::SansSerif, pixels, FontStyle::Normal));
    style.color = RGBColor(colour.0, colour.1, colour.2).to_backend_color();
    style
}
