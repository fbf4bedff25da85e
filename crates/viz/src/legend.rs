use crate::canvas::{Across, Along, Canvas, Pen, TextLook};
use crate::draw_layer::marker;
use crate::font::{Weight, text_width};
use crate::layer::{Dash, Shape};
use crate::number::nice_ticks;
use crate::{ColourMap, Rgb, shortened, theme};

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
    /// A dot with an interval across.
    Interval,
    /// A filled square, for bars and regions.
    Patch,
    /// No sign: a remark on the other entries.
    None,
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

/// Height of an entry of a legend in a column.
pub(crate) const LEGEND_LINE: f64 = 20.0;
const BAR_WIDTH: f64 = 14.0;

impl ColourBar {
    /// Width of bar, ticks and name.
    pub(crate) fn width(&self) -> f64 {
        let widest = widest(&self.ticks());
        let label = if self.label.is_empty() {
            0.0
        } else {
            10.0 + theme::LABEL_SIZE
        };
        BAR_WIDTH + 7.0 + widest + label
    }

    fn ticks(&self) -> Vec<(f64, String)> {
        nice_ticks(self.limits[0], self.limits[1], 5)
    }

    pub(crate) fn draw(&self, canvas: &mut Canvas, left: f64, top: f64, height: f64) {
        let steps = 256;
        for step in 0..steps {
            let from = top + height * f64::from(step) / f64::from(steps);
            let colour = self
                .map
                .at(1.0 - (f64::from(step) + 0.5) / f64::from(steps));
            // Down to the end, under the next steps: no seams where edges fall between pixels.
            canvas.rectangle(left, from, BAR_WIDTH, top + height - from, colour, 1.0);
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

    /// The entry with its label cut to a width.
    pub(crate) fn shortened(&self, width: f64) -> LegendEntry {
        LegendEntry {
            label: shortened(&self.label, theme::LEGEND_SIZE, Weight::Regular, width),
            ..self.clone()
        }
    }

    /// The remark that so many entries are not shown.
    pub(crate) fn more(count: usize) -> LegendEntry {
        LegendEntry::new(format!("… and {count} more"), theme::SOFT, Swatch::None)
    }

    fn text_offset(&self) -> f64 {
        match self.swatch {
            Swatch::Marker(_) => 17.0,
            Swatch::Line(_) | Swatch::Interval => 26.0,
            Swatch::Patch => 21.0,
            Swatch::None => 0.0,
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
            Swatch::Interval => {
                let pen = Pen::new(self.colour, 1.6);
                canvas.line([left, middle], [left + 18.0, middle], pen);
                for x in [left, left + 18.0] {
                    canvas.line([x, middle - 4.5], [x, middle + 4.5], pen);
                }
                canvas.disc([left + 9.0, middle], 3.8, self.colour, 1.0);
            }
            Swatch::Patch => {
                canvas.rectangle(left, middle - 6.0, 14.0, 12.0, self.colour, 1.0);
            }
            Swatch::None => {}
        }
        canvas.text(
            &self.label,
            [left + self.text_offset(), middle],
            Across::Left,
            Along::Middle,
            TextLook::new(
                theme::LEGEND_SIZE,
                if self.swatch == Swatch::None {
                    self.colour
                } else {
                    theme::INK
                },
            ),
        );
    }
}

/// Labels of a legend, and of one in several columns or many rows, are cut to these widths.
pub(crate) const WIDEST_LABEL: f64 = 320.0;
pub(crate) const WIDEST_LABEL_OF_MANY: f64 = 130.0;
const COLUMN_GAP: f64 = 18.0;

/// A legend beside or inside of the axes: one column or several, all of about the same height.
pub(crate) struct LegendColumns(Vec<Vec<LegendEntry>>);

impl LegendColumns {
    /// At most `columns` of `rows` entries; what has no room is counted in the last place.
    pub(crate) fn new(entries: &[LegendEntry], rows: usize, columns: usize) -> LegendColumns {
        let (rows, columns) = (rows.max(1), columns.max(1));
        let columns = entries.len().div_ceil(rows).clamp(1, columns);
        let widest = if columns == 1 {
            WIDEST_LABEL
        } else {
            WIDEST_LABEL_OF_MANY
        };
        let shown = if entries.len() > rows * columns {
            rows * columns - 1
        } else {
            entries.len()
        };
        let mut all: Vec<LegendEntry> = entries[..shown]
            .iter()
            .map(|entry| entry.shortened(widest))
            .collect();
        if shown < entries.len() {
            all.push(LegendEntry::more(entries.len() - shown));
        }
        let rows = all.len().div_ceil(columns).max(1);
        LegendColumns(all.chunks(rows).map(<[LegendEntry]>::to_vec).collect())
    }

    /// Width and height.
    pub(crate) fn size(&self) -> [f64; 2] {
        let gaps = COLUMN_GAP * self.0.len().saturating_sub(1) as f64;
        let rows = self.0.first().map_or(0, Vec::len);
        [
            self.0
                .iter()
                .map(|column| column_width(column))
                .sum::<f64>()
                + gaps,
            rows as f64 * LEGEND_LINE,
        ]
    }

    pub(crate) fn draw(&self, canvas: &mut Canvas, mut left: f64, top: f64) {
        for column in &self.0 {
            for (index, entry) in column.iter().enumerate() {
                entry.draw(canvas, left, top + (index as f64 + 0.5) * LEGEND_LINE);
            }
            left += column_width(column) + COLUMN_GAP;
        }
    }
}

fn column_width(entries: &[LegendEntry]) -> f64 {
    entries.iter().map(LegendEntry::width).fold(0.0, f64::max)
}

/// Width of the widest tick label.
pub(crate) fn widest(ticks: &[(f64, String)]) -> f64 {
    ticks
        .iter()
        .map(|(_, label)| text_width(label, theme::TICK_SIZE, Weight::Regular))
        .fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(count: usize) -> Vec<LegendEntry> {
        (0..count)
            .map(|i| LegendEntry::new(format!("class {i}"), Rgb::BLACK, Swatch::Patch))
            .collect()
    }

    #[test]
    fn every_entry_is_shown_or_counted() {
        for (count, columns, remark) in [
            (0, 0, None),
            (1, 1, None),
            (22, 1, None),
            (23, 2, None),
            (62, 3, None),
            (66, 3, None),
            (67, 3, Some("… and 2 more")),
            (300, 3, Some("… and 235 more")),
        ] {
            let legend = LegendColumns::new(&entries(count), 22, 3);
            assert_eq!(legend.0.len(), columns, "{count}");
            let last = legend.0.last().and_then(|column| column.last());
            let found = last.filter(|entry| entry.swatch == Swatch::None);
            assert_eq!(found.map(|entry| entry.label.as_str()), remark, "{count}");
            assert!(legend.size()[1] <= 22.0 * LEGEND_LINE);
            let shown = legend.0.iter().map(Vec::len).sum::<usize>();
            assert_eq!(shown, count.min(66));
        }
    }

    #[test]
    fn long_names_are_cut() {
        let mut long = entries(40);
        long[3].label = "กรุงเทพมหานคร ".repeat(30);
        long[9].label = "a name ".repeat(90);
        let [width, _] = LegendColumns::new(&long, 22, 3).size();
        assert!(width <= 2.0 * (21.0 + WIDEST_LABEL_OF_MANY) + COLUMN_GAP);
        assert!(LegendColumns::new(&long[..12], 22, 3).size()[0] <= 21.0 + WIDEST_LABEL);
    }
}
