//! The charts of the atlas: each a struct of data and choices with a `plot` method that lays it
//! out as a [`Plot`](crate::Plot), whose layers and axes can then be changed.

mod class_scatter;
mod line_chart;

pub use class_scatter::ClassScatter;
pub use line_chart::{LineChart, Series};
