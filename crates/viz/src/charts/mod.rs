//! The charts of the atlas: each a struct of data and choices with a `plot` method that lays it
//! out as a [`Plot`](crate::Plot). What all plots can be asked for, size, place of the legend and
//! layers below or over the data, are methods of the plot
//! ([`Plot::with_size`](crate::Plot::with_size) and its neighbours).

mod bar_chart;
mod class_scatter;
mod density_map;
mod histogram;
mod labelled_map;
mod line_chart;
mod marks;
mod network;
mod posteriors;
mod region_map;
mod setting_chart;
mod space;
mod space_box;
mod strip_chart;
mod trajectories;

pub use bar_chart::{BarChart, BarSeries};
pub use class_scatter::ClassScatter;
pub use density_map::DensityMap;
pub use histogram::{Histogram, HistogramSeries};
pub use labelled_map::LabelledMap;
pub use line_chart::{LineChart, Series};
pub use marks::{extent, marks};
pub use network::{Network, NetworkLayer};
pub use posteriors::Posteriors;
pub use region_map::RegionMap;
pub use setting_chart::{SettingCell, SettingChart, SettingSeries, Settings};
pub use space::{Camera, Scatter3d, Surface3d};
pub use strip_chart::{Strip, StripChart};
pub use trajectories::Trajectories;
