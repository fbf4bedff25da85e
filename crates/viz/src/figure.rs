use crate::canvas::{Across, Along, Canvas, TextLook};
use crate::font::{Weight, shortened, text_width, wrap};
use crate::legend::LegendEntry;
use crate::legend_rows::{LEGEND_SPACE, legend_rows};
use crate::plot::{Margins, Plot};
use crate::{Grid, Image, RgbImage, Tiles, VizError, theme};

/// A picture made of aligned panels with a title, a caption and one legend for all.
///
/// ```
/// use viz::{Axis, Figure, Layer, Line, Plot};
/// let plot = Plot {
///     layers: vec![Layer::Line(Line { points: vec![[0.0, 0.0], [1.0, 1.0]], ..Line::default() })],
///     ..Plot::default()
/// };
/// let image = Figure { title: "A line".into(), ..Figure::of(plot) }.render();
/// assert!(image.width() > 920);
/// ```
#[derive(Clone, Debug)]
pub struct Figure {
    /// Title; empty for none.
    pub title: String,
    /// Caption below, wrapped to the figure's width; empty for none.
    pub caption: String,
    /// Rows of panels.
    pub rows: Vec<Vec<Panel>>,
    /// A legend in a strip below the panels.
    pub legend: Vec<LegendEntry>,
    /// Pixels of the file for one canvas unit: 2 is sharp when shown at half size.
    pub scale: f64,
}

/// One cell of a figure.
#[derive(Clone, Debug)]
pub enum Panel {
    /// Axes with layers.
    Plot(Box<Plot>),
    /// Tiles with row and column heads.
    Tiles(Box<TilePanel>),
    /// Nothing.
    Empty,
}

impl From<Plot> for Panel {
    fn from(plot: Plot) -> Panel {
        Panel::Plot(Box::new(plot))
    }
}

impl From<TilePanel> for Panel {
    fn from(tiles: TilePanel) -> Panel {
        Panel::Tiles(Box::new(tiles))
    }
}

/// A montage with words at its rows and columns, such as input, reconstruction and difference.
#[derive(Clone, Debug)]
pub struct TilePanel {
    /// Title above; empty for none.
    pub title: String,
    /// The montage.
    pub image: Image,
    /// Its layout.
    pub grid: Grid,
    /// Words left of the rows; empty for none.
    pub row_heads: Vec<String>,
    /// Words above the columns; empty for none.
    pub column_heads: Vec<String>,
    /// Canvas units of one montage pixel (a multiple of one half keeps pixels square at scale 2).
    pub pixel: f64,
}

const PADDING: f64 = 20.0;
const PANEL_GAP: f64 = 30.0;
const CAPTION_GAP: f64 = 12.0;

impl Figure {
    /// A figure of one panel.
    pub fn of(panel: impl Into<Panel>) -> Figure {
        Figure::grid(vec![vec![panel.into()]])
    }

    /// A figure of panels side by side.
    pub fn row(panels: Vec<Panel>) -> Figure {
        Figure::grid(vec![panels])
    }

    /// A figure of rows of panels, aligned in columns.
    pub fn grid(rows: Vec<Vec<Panel>>) -> Figure {
        Figure {
            title: String::new(),
            caption: String::new(),
            rows,
            legend: Vec::new(),
            scale: 2.0,
        }
    }

    /// The figure with the entries of its plots' legends, each label once, in the strip below the
    /// panels instead; entries that are there already stay first.
    ///
    /// ```
    /// use viz::charts::{LineChart, Series};
    /// use viz::Figure;
    /// let series = [Series { name: "test".into(), points: vec![[1.0, 3.0]], ..Series::default() }];
    /// let chart = LineChart { series: &series, ..LineChart::default() };
    /// let figure = Figure::row(vec![chart.plot().into(), chart.plot().into()]).with_shared_legend();
    /// assert_eq!(figure.legend.len(), 1);
    /// ```
    #[must_use]
    pub fn with_shared_legend(mut self) -> Figure {
        for panel in self.rows.iter_mut().flatten() {
            if let Panel::Plot(plot) = panel {
                for entry in std::mem::take(&mut plot.legend) {
                    if self.legend.iter().all(|other| other.label != entry.label) {
                        self.legend.push(entry);
                    }
                }
            }
        }
        self
    }

    /// Draws the figure; its size follows from its content.
    pub fn render(&self) -> RgbImage {
        self.draw().to_image()
    }

    /// Width and height, in pixels, of what the file shows above its caption: a page that has the
    /// caption as text shows that much of it.
    pub fn size_above_caption(&self) -> (usize, usize) {
        let (width, height) = self.draw().pixel_size();
        if self.caption.is_empty() {
            return (width as usize, height as usize);
        }
        let above = Figure {
            caption: String::new(),
            ..self.clone()
        };
        let (_, above) = above.draw().pixel_size();
        // The room below the panels is smaller where a caption follows.
        let room = ((PADDING - CAPTION_GAP) * self.scale).round() as usize;
        (width as usize, (above as usize).saturating_sub(room))
    }

    fn resolved_rows(&self) -> Vec<Vec<Panel>> {
        let rows = self.rows.iter();
        rows.map(|row| row.iter().map(Panel::resolved).collect())
            .collect()
    }

    /// Width that the panels need.
    pub(crate) fn panels_width(&self) -> f64 {
        total(&column_bands(&self.resolved_rows())) + 2.0 * PADDING
    }

    pub(crate) fn draw(&self) -> Canvas {
        let rows = self.resolved_rows();
        let column_bands = column_bands(&rows);
        let row_bands: Vec<Band> = rows
            .iter()
            .map(|row| {
                Band::around(row.iter().map(|panel| {
                    let margins = panel.margins();
                    [margins.top, panel.size()[1], margins.bottom]
                }))
            })
            .collect();
        let content_width = total(&column_bands).max(260.0);
        let title = lines(
            &self.title,
            theme::FIGURE_TITLE_SIZE,
            Weight::SemiBold,
            content_width,
        );
        let caption = lines(
            &self.caption,
            theme::CAPTION_SIZE,
            Weight::Regular,
            content_width,
        );
        let legend = legend_rows(&self.legend, content_width);
        // A single word wider than the panels widens the figure.
        let width_of = |lines: &[String], size, weight| {
            lines
                .iter()
                .map(|line| text_width(line, size, weight))
                .fold(0.0, f64::max)
        };
        let content_width = content_width
            .max(width_of(&title, theme::FIGURE_TITLE_SIZE, Weight::SemiBold))
            .max(width_of(&caption, theme::CAPTION_SIZE, Weight::Regular))
            .max(legend.iter().map(|row| row.width).fold(0.0, f64::max));
        let title_line = theme::FIGURE_TITLE_SIZE * 1.25;
        let caption_line = theme::CAPTION_SIZE * theme::LINE_HEIGHT;
        let legend_line = 22.0;
        let block = |count: usize, line: f64, gap: f64| {
            if count == 0 {
                0.0
            } else {
                count as f64 * line + gap
            }
        };
        let title_height = block(title.len(), title_line, 10.0);
        let legend_height = block(legend.len(), legend_line, 14.0);
        let caption_height = block(caption.len(), caption_line, CAPTION_GAP);
        let panels_height = total(&row_bands);
        let mut canvas = Canvas::new(
            content_width + 2.0 * PADDING,
            title_height + panels_height + legend_height + caption_height + 2.0 * PADDING,
            self.scale,
        );

        let mut y = PADDING;
        for line in &title {
            let look = TextLook::new(theme::FIGURE_TITLE_SIZE, theme::INK).semi_bold();
            canvas.text(line, [PADDING, y], Across::Left, Along::Top, look);
            y += title_line;
        }
        let mut top = PADDING + title_height;
        let inset = 0.5 * (content_width - total(&column_bands)).max(0.0);
        for (row, row_band) in rows.iter().zip(&row_bands) {
            let mut left = PADDING + inset;
            for (panel, column_band) in row.iter().zip(&column_bands) {
                let x = left + column_band.before;
                let y = top + row_band.before;
                panel.draw(&mut canvas, x, y);
                left += column_band.total() + PANEL_GAP;
            }
            top += row_band.total() + PANEL_GAP;
        }
        let mut y = PADDING + title_height + panels_height + 14.0;
        for row in &legend {
            let mut x = PADDING + 0.5 * (content_width - row.width);
            for entry in &row.entries {
                entry.draw(&mut canvas, x, y + 0.5 * legend_line);
                x += entry.width() + LEGEND_SPACE;
            }
            y += legend_line;
        }
        let mut y = PADDING + title_height + panels_height + legend_height + CAPTION_GAP;
        for line in &caption {
            let look = TextLook::new(theme::CAPTION_SIZE, theme::SOFT);
            canvas.text(line, [PADDING, y + 4.0], Across::Left, Along::Top, look);
            y += caption_line;
        }
        canvas
    }
}

fn column_bands(rows: &[Vec<Panel>]) -> Vec<Band> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    (0..columns)
        .map(|column| {
            Band::around(rows.iter().filter_map(|row| row.get(column)).map(|panel| {
                let margins = panel.margins();
                [margins.left, panel.size()[0], margins.right]
            }))
        })
        .collect()
}

fn total(bands: &[Band]) -> f64 {
    bands.iter().map(Band::total).sum::<f64>() + PANEL_GAP * bands.len().saturating_sub(1) as f64
}

fn lines(text: &str, size: f64, weight: Weight, width: f64) -> Vec<String> {
    if text.is_empty() {
        Vec::new()
    } else {
        wrap(text, size, weight, width)
    }
}

/// Room shared by the panels of a row or a column: data aligned at the upper left, the widest
/// margins around.
struct Band {
    before: f64,
    after: f64,
}

impl Band {
    /// Of margin, size and margin of each panel.
    fn around(parts: impl Iterator<Item = [f64; 3]>) -> Band {
        parts.fold(
            Band {
                before: 0.0,
                after: 0.0,
            },
            |band, [before, inside, after]| Band {
                before: band.before.max(before),
                after: band.after.max(inside + after),
            },
        )
    }

    fn total(&self) -> f64 {
        self.before + self.after
    }
}

impl Panel {
    fn resolved(&self) -> Panel {
        match self {
            Panel::Plot(plot) => plot.resolved().into(),
            Panel::Tiles(tiles) => tiles.resolved().into(),
            Panel::Empty => Panel::Empty,
        }
    }

    fn size(&self) -> [f64; 2] {
        match self {
            Panel::Plot(plot) => plot.size,
            Panel::Tiles(tiles) => tiles.size(),
            Panel::Empty => [0.0, 0.0],
        }
    }

    fn margins(&self) -> Margins {
        match self {
            Panel::Plot(plot) => plot.margins(),
            Panel::Tiles(tiles) => tiles.margins(),
            Panel::Empty => Margins::default(),
        }
    }

    fn draw(&self, canvas: &mut Canvas, left: f64, top: f64) {
        match self {
            Panel::Plot(plot) => plot.draw(canvas, left, top),
            Panel::Tiles(tiles) => tiles.draw(canvas, left, top),
            Panel::Empty => {}
        }
    }
}

impl TilePanel {
    /// Tiles of any shape without words, each montage pixel a pixel of the figure's file.
    ///
    /// # Errors
    ///
    /// As [`Tiles::montage`].
    pub fn new(tiles: &Tiles<'_>, grid: &Grid) -> Result<TilePanel, VizError> {
        Ok(TilePanel {
            title: String::new(),
            image: tiles.montage(grid)?,
            grid: grid.clone(),
            row_heads: Vec::new(),
            column_heads: Vec::new(),
            pixel: 0.5,
        })
    }

    /// The panel with words that are not too long.
    fn resolved(&self) -> TilePanel {
        let cut = |heads: &[String], size: f64| {
            let cut = |head: &String| shortened(head, size, Weight::Regular, theme::WIDEST_HEAD);
            heads.iter().map(cut).collect()
        };
        TilePanel {
            row_heads: cut(&self.row_heads, theme::LABEL_SIZE),
            column_heads: cut(&self.column_heads, theme::TICK_SIZE),
            ..self.clone()
        }
    }

    fn size(&self) -> [f64; 2] {
        let image = self.image.as_ref();
        [
            image.width() as f64 * self.pixel,
            image.height() as f64 * self.pixel,
        ]
    }

    fn margins(&self) -> Margins {
        let title = if self.title.is_empty() {
            0.0
        } else {
            12.0 + theme::PANEL_TITLE_SIZE
        };
        let heads = self.head_height();
        let widest = self
            .row_heads
            .iter()
            .map(|head| text_width(head, theme::LABEL_SIZE, Weight::Regular))
            .fold(0.0, f64::max);
        let overhang = self.size()[0];
        let title_width = text_width(&self.title, theme::PANEL_TITLE_SIZE, Weight::SemiBold);
        Margins {
            left: if widest > 0.0 { widest + 12.0 } else { 0.0 }.max(self.head_overhang(0.0)),
            top: title + heads,
            right: (title_width - overhang)
                .max(0.0)
                .max(self.head_overhang(self.size()[0])),
            bottom: 2.0,
        }
    }

    fn widest_head(&self) -> f64 {
        self.column_heads
            .iter()
            .map(|head| text_width(head, theme::TICK_SIZE, Weight::Regular))
            .fold(0.0, f64::max)
    }

    /// Whether column heads are too wide to lie side by side; columns without one lend their room.
    fn heads_turned(&self) -> bool {
        let pitch = (self.grid.cell_width() + self.grid.gutter) as f64 * self.pixel;
        let heads = self.column_heads.iter().enumerate();
        let named: Vec<usize> = heads
            .filter(|(_, head)| !head.is_empty())
            .map(|(column, _)| column)
            .collect();
        let apart = named.windows(2).map(|pair| pair[1] - pair[0]).min();
        let room = apart.unwrap_or(self.grid.columns) as f64 * pitch;
        self.widest_head() > room - 3.0
    }

    fn head_height(&self) -> f64 {
        if self.column_heads.is_empty() {
            0.0
        } else if self.heads_turned() {
            self.widest_head() + 8.0
        } else {
            theme::TICK_SIZE + 6.0
        }
    }

    /// How far column heads reach beyond the montage's left or right `edge`.
    fn head_overhang(&self, edge: f64) -> f64 {
        if self.heads_turned() {
            return 0.0;
        }
        self.column_heads
            .iter()
            .enumerate()
            .map(|(column, head)| {
                let half = 0.5 * text_width(head, theme::TICK_SIZE, Weight::Regular);
                half - (self.column_middle(column) - edge).abs()
            })
            .fold(0.0, f64::max)
    }

    fn column_middle(&self, column: usize) -> f64 {
        let (x, _) = self.grid.tile_origin(column);
        (x as f64 + 0.5 * self.grid.cell_width() as f64) * self.pixel
    }

    fn draw(&self, canvas: &mut Canvas, left: f64, top: f64) {
        let snap = |length: f64| (length * canvas.scale()).round() / canvas.scale();
        let (left, top) = (snap(left), snap(top));
        let [width, height] = self.size();
        canvas.image(self.image.as_ref(), left, top, width, height, 1.0);
        for (column, head) in self.column_heads.iter().enumerate().take(self.grid.columns) {
            let turned = self.heads_turned();
            let (across, along) = if turned {
                (Across::Left, Along::Middle)
            } else {
                (Across::Centre, Along::Baseline)
            };
            canvas.text(
                head,
                [left + self.column_middle(column), top - 6.0],
                across,
                along,
                TextLook {
                    turned,
                    ..TextLook::new(theme::TICK_SIZE, theme::SOFT)
                },
            );
        }
        for (row, head) in self.row_heads.iter().enumerate().take(self.grid.rows) {
            let (_, y) = self.grid.tile_origin(row * self.grid.columns);
            let middle = (y as f64 + 0.5 * self.grid.cell_height() as f64) * self.pixel;
            canvas.text(
                head,
                [left - 12.0, top + middle],
                Across::Right,
                Along::Middle,
                TextLook::new(theme::LABEL_SIZE, theme::INK),
            );
        }
        if !self.title.is_empty() {
            canvas.text(
                &self.title,
                [left, top - self.head_height() - 11.0],
                Across::Left,
                Along::Baseline,
                TextLook::new(theme::PANEL_TITLE_SIZE, theme::INK).semi_bold(),
            );
        }
    }
}
