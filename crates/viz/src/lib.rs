//! Montages, charts, animation and the single-file page; knows nothing of models.
//!
//! - [`montage`] and [`lattice`] lay grey tiles out, [`Tiles`] those of any shape; [`beside`] and
//!   [`stacked`] join images.
//! - A [`Figure`] is rows of [`Panel`]s; a [`Plot`] is axes with [`Layer`]s; [`charts`] makes the
//!   plots of the atlas from data.
//! - [`write_figure`] writes a figure with its data beside it, [`write_figure_as`] also as SVG and
//!   PDF ([`Format`]), without title and caption, or sized for a slide or a printed column
//!   ([`FigureOutput`]).
//! - [`page`] is the article that shows the figures.
//!
//! Everything is drawn with one bundled font and no system library, and the same input gives the
//! same bytes.
//!
//! ```
//! use viz::charts::{LineChart, Series};
//! use viz::{Figure, Sidecar, write_figure};
//! # let folder = tempfile::tempdir()?;
//! let series = [Series { name: "test".into(), points: vec![[1.0, 170.0], [2.0, 160.0]], ..Series::default() }];
//! let plot = LineChart { y_label: "loss, nats per image", series: &series, ..LineChart::default() }.plot();
//! let figure = Figure { title: "Training".into(), caption: "One seed.".into(), ..Figure::of(plot) };
//! write_figure(&folder.path().join("training.png"), &figure, &Sidecar::default())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

mod animation;
mod atomic_file;
mod axis;
mod canvas;
pub mod charts;
mod class_look;
mod colour;
#[cfg(test)]
mod colour_difference;
mod decode_animation;
#[cfg(test)]
mod degenerate_tests;
mod difference;
mod draw_axes;
mod draw_labels;
mod draw_layer;
mod error;
mod field;
mod figure;
mod figure_scale;
mod font;
mod image;
mod layer;
#[cfg(test)]
mod layout_tests;
mod legend;
mod legend_rows;
mod montage;
pub mod number;
mod obstacles;
mod output;
#[cfg(test)]
mod output_tests;
pub mod page;
mod palette;
mod pdf;
mod plot;
mod png_file;
mod raster;
mod sidecar;
mod small_png;
mod svg;
mod theme;
mod tile;
mod tile_grid;
mod tile_line;
#[cfg(test)]
mod tile_tests;

pub use animation::{Animation, AnimationColours};
pub use atomic_file::write_atomically;
pub use axis::{Axis, Scale, Ticks};
pub use class_look::{CLASS_COLOURS, Classes, class_colour, class_mark};
pub use colour::{ColourMap, PETROFF10, Rgb};
pub use decode_animation::{Frames, decode_apng};
pub use difference::ScaledDifference;
pub use error::VizError;
pub use field::Field;
pub use figure::{Figure, Panel, TilePanel};
pub use figure_scale::FigureScale;
pub use font::{Weight, shortened, text_width, wrap};
pub use image::{GrayImage, Image, ImageRef, RgbImage};
pub use layer::{
    Band, Bar, Dash, Ellipse, Ellipses, Heat, Interval, Intervals, Label, Labels, Layer, Line,
    PlacedImage, Placing, Point, Points, Polygon, Rule, Segments, Shape, Trail,
};
pub use legend::{ColourBar, LegendEntry, Swatch};
pub use montage::{
    Grid, beside, lattice, lattice_of, linspace, montage, montage_with_borders, stacked,
};
pub use output::{FigureOutput, Format, Picture, write_figure, write_figure_as};
pub use plot::{Aspect, Frame, LegendAt, Plot};
pub use png_file::{decode_png, encode_png, encode_thumbnail, write_png};
pub use sidecar::Sidecar;
pub use small_png::{encode_png_within, encode_small_png, write_png_within, write_small_png};
pub use tile::{TileShape, TileValues, Tiles};
