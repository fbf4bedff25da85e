//! Sizes and colours shared by all figures, in canvas units (a figure's file has two pixels a unit,
//! so that it is sharp when shown at half size).

use crate::Rgb;

pub(crate) const TICK_SIZE: f64 = 12.0;
pub(crate) const LABEL_SIZE: f64 = 13.0;
pub(crate) const PANEL_TITLE_SIZE: f64 = 14.0;
pub(crate) const FIGURE_TITLE_SIZE: f64 = 18.0;
pub(crate) const CAPTION_SIZE: f64 = 12.0;
pub(crate) const LEGEND_SIZE: f64 = 12.0;

/// Longer names beside rows, above columns and at ticks are cut.
pub(crate) const WIDEST_HEAD: f64 = 400.0;

pub(crate) const LINE_HEIGHT: f64 = 1.4;
pub(crate) const TICK_LENGTH: f64 = 4.0;

pub(crate) const INK: Rgb = Rgb::hex(0x22262c);
pub(crate) const SOFT: Rgb = Rgb::hex(0x626b76);
pub(crate) const AXIS: Rgb = Rgb::hex(0x5d6570);
pub(crate) const GRID: Rgb = Rgb::hex(0xe6e9ed);
