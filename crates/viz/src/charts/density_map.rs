use crate::{
    Aspect, Axis, ColourBar, ColourMap, Field, Frame, Heat, Layer, Plot, Rgb, Segments, Ticks,
};

/// Values over the plane as colours with a colour bar and contour lines: densities, entropies,
/// the decoder's local stretch.
#[derive(Clone, Debug)]
pub struct DensityMap<'a> {
    /// Title of the panel.
    pub title: &'a str,
    /// The values.
    pub field: &'a Field,
    /// Name and unit of the values.
    pub value_label: &'a str,
    /// Names of both axes.
    pub labels: [&'a str; 2],
    /// Colours.
    pub map: ColourMap,
    /// Values of the two ends of the colours; without them, those of the field.
    pub limits: Option<[f64; 2]>,
    /// Number of contour lines, equally spaced between the limits.
    pub contours: usize,
    /// Interpolates between lattice points; cells otherwise.
    pub smooth: bool,
    /// Draws the bar that explains the colours, which one panel of a row can say for all.
    pub colour_bar: bool,
    /// Width and height inside of the axes at most, canvas units.
    pub size: [f64; 2],
}

impl<'a> DensityMap<'a> {
    /// A smooth viridis map with six contours.
    pub fn new(field: &'a Field) -> DensityMap<'a> {
        DensityMap {
            title: "",
            field,
            value_label: "",
            labels: ["z₁", "z₂"],
            map: ColourMap::Viridis,
            limits: None,
            contours: 6,
            smooth: true,
            colour_bar: true,
            size: [400.0, 400.0],
        }
    }

    /// The chart.
    pub fn plot(&self) -> Plot {
        let limits = self.limits.unwrap_or_else(|| self.field.limits());
        let (x, y) = if self.smooth {
            (self.field.x, self.field.y)
        } else {
            self.field.cell_edges()
        };
        let mut layers = vec![Layer::Heat(Heat {
            field: self.field.clone(),
            map: self.map,
            limits,
            smooth: self.smooth,
            alpha: 1.0,
        })];
        if self.contours > 0 {
            let step = (limits[1] - limits[0]) / (self.contours + 1) as f64;
            let levels: Vec<f64> = (1..=self.contours)
                .map(|i| limits[0] + step * i as f64)
                .collect();
            let colour = match self.map {
                ColourMap::Viridis | ColourMap::Grey => Rgb::WHITE,
                ColourMap::Slate | ColourMap::Diverging => Rgb::hex(0x2b3038),
            };
            layers.push(Layer::Segments(Segments {
                alpha: 0.65,
                ..Segments::contours(self.field, &levels, colour, 1.0)
            }));
        }
        Plot {
            title: self.title.to_string(),
            x: Axis::linear(self.labels[0], x[0], x[1]).with_ticks(Ticks::Nice(5)),
            y: Axis::linear(self.labels[1], y[0], y[1]),
            size: self.size,
            aspect: Aspect::EqualSize,
            frame: Frame::Closed,
            grid: [false, false],
            layers,
            colour_bar: self.colour_bar.then(|| ColourBar {
                label: self.value_label.to_string(),
                map: self.map,
                limits,
            }),
            ..Plot::default()
        }
    }
}
