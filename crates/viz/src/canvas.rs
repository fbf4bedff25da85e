//! What a picture is made of, recorded in the order of drawing: [`crate::raster`] makes pixels of it,
//! [`crate::svg`] and [`crate::pdf`] files for other programs.

use std::borrow::Cow;

use tiny_skia::{Path, PathBuilder};

use crate::font::{Weight, cap_height, text_width};
use crate::{Image, ImageRef, Rgb, RgbImage};

/// Where a text's reference point lies, across and along the lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Across {
    Left,
    Centre,
    Right,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Along {
    /// The reference point is on the baseline.
    Baseline,
    /// The middle of the capitals.
    Middle,
    /// The top of the capitals.
    Top,
}

/// How a text looks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TextLook {
    pub(crate) size: f64,
    pub(crate) weight: Weight,
    pub(crate) colour: Rgb,
    /// Width of a white rim that keeps the text readable on data.
    pub(crate) halo: f64,
    /// Turned a quarter to the left (reads upwards).
    pub(crate) turned: bool,
}

impl TextLook {
    pub(crate) fn new(size: f64, colour: Rgb) -> TextLook {
        TextLook {
            size,
            weight: Weight::Regular,
            colour,
            halo: 0.0,
            turned: false,
        }
    }

    /// The pen of the rim, if there is one.
    pub(crate) fn halo_pen(&self) -> Option<Pen> {
        (self.halo > 0.0).then(|| Pen {
            alpha: 0.9,
            ..Pen::new(Rgb::WHITE, 2.0 * self.halo)
        })
    }

    pub(crate) fn semi_bold(self) -> TextLook {
        TextLook {
            weight: Weight::SemiBold,
            ..self
        }
    }
}

/// A line's look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pen {
    pub(crate) colour: Rgb,
    pub(crate) alpha: f64,
    pub(crate) width: f64,
    pub(crate) dash: Option<[f64; 2]>,
}

impl Pen {
    pub(crate) fn new(colour: Rgb, width: f64) -> Pen {
        Pen {
            colour,
            alpha: 1.0,
            width,
            dash: None,
        }
    }
}

/// One thing that was drawn; lengths are in canvas units, downwards from the upper left corner.
#[derive(Clone, Debug)]
pub(crate) enum Mark {
    Fill {
        path: Path,
        colour: Rgb,
        alpha: f64,
    },
    Stroke {
        path: Path,
        pen: Pen,
    },
    /// A filled rectangle whose edges lie between pixels.
    Rectangle {
        edges: Edges,
        colour: Rgb,
        alpha: f64,
    },
    Disc {
        centre: [f64; 2],
        radius: f64,
        colour: Rgb,
        alpha: f64,
    },
    /// An image stretched over a rectangle, each pixel a rectangle of one colour.
    Image {
        image: Image,
        edges: Edges,
        alpha: f64,
    },
    /// A line of text whose baseline begins at `origin`.
    Text {
        text: String,
        origin: [f64; 2],
        look: TextLook,
    },
    /// What follows, up to the next [`Mark::Unclip`], is seen inside of the rectangle alone.
    Clip(Edges),
    Unclip,
}

/// A rectangle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Edges {
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) right: f64,
    pub(crate) bottom: f64,
}

impl Edges {
    fn new(left: f64, top: f64, width: f64, height: f64) -> Edges {
        Edges {
            left,
            top,
            right: left + width,
            bottom: top + height,
        }
    }

    fn is_finite(self) -> bool {
        [self.left, self.top, self.right, self.bottom]
            .iter()
            .all(|edge| edge.is_finite())
    }

    /// The nearest edges between pixels, in pixels.
    pub(crate) fn pixels(self, scale: f64) -> [f64; 4] {
        [self.left, self.top, self.right, self.bottom].map(|edge| (edge * scale).round())
    }
}

/// A picture under construction on white ground, in units of which each is `scale` pixels.
pub(crate) struct Canvas {
    pixel_size: (u32, u32),
    scale: f64,
    marks: Vec<Mark>,
}

impl Canvas {
    /// A white canvas of at least one pixel.
    pub(crate) fn new(width: f64, height: f64, scale: f64) -> Canvas {
        let pixels = |length: f64| (length * scale).round().clamp(1.0, 60_000.0) as u32;
        Canvas {
            pixel_size: (pixels(width), pixels(height)),
            scale,
            marks: Vec::new(),
        }
    }

    pub(crate) fn scale(&self) -> f64 {
        self.scale
    }

    pub(crate) fn pixel_size(&self) -> (u32, u32) {
        self.pixel_size
    }

    /// Width and height in units.
    pub(crate) fn size(&self) -> [f64; 2] {
        [self.pixel_size.0, self.pixel_size.1].map(|pixels| f64::from(pixels) / self.scale)
    }

    /// What was drawn, first to last.
    pub(crate) fn marks(&self) -> &[Mark] {
        &self.marks
    }

    /// The smallest rectangle around all text, for the test that none is cut off.
    #[cfg(test)]
    pub(crate) fn text_bounds(&self) -> Option<[f64; 4]> {
        let outlines = self.marks.iter().filter_map(|mark| match mark {
            Mark::Text { text, origin, look } => {
                let path = crate::font::outline(text, look.size, look.weight)?;
                let place = crate::font::placement(origin[0], origin[1], look.turned);
                Some(path.transform(place)?.bounds())
            }
            _ => None,
        });
        outlines
            .map(|b| [b.left(), b.top(), b.right(), b.bottom()].map(f64::from))
            .reduce(|a, b| {
                [
                    a[0].min(b[0]),
                    a[1].min(b[1]),
                    a[2].max(b[2]),
                    a[3].max(b[3]),
                ]
            })
    }

    pub(crate) fn to_image(&self) -> RgbImage {
        crate::raster::rasterised(self)
    }

    /// Keeps everything drawn until [`Canvas::unclip`] inside of a rectangle.
    pub(crate) fn clip(&mut self, left: f64, top: f64, width: f64, height: f64) {
        self.marks
            .push(Mark::Clip(Edges::new(left, top, width, height)));
    }

    pub(crate) fn unclip(&mut self) {
        self.marks.push(Mark::Unclip);
    }

    pub(crate) fn fill(&mut self, path: Path, colour: Rgb, alpha: f64) {
        self.marks.push(Mark::Fill {
            path,
            colour,
            alpha,
        });
    }

    pub(crate) fn stroke(&mut self, path: Path, pen: Pen) {
        self.marks.push(Mark::Stroke { path, pen });
    }

    pub(crate) fn polyline(&mut self, points: &[[f64; 2]], pen: Pen) {
        if let Some(path) = polygon_path(points, false) {
            self.stroke(path, pen);
        }
    }

    pub(crate) fn polygon(&mut self, points: &[[f64; 2]], colour: Rgb, alpha: f64) {
        if let Some(path) = polygon_path(points, true) {
            self.fill(path, colour, alpha);
        }
    }

    pub(crate) fn line(&mut self, from: [f64; 2], to: [f64; 2], pen: Pen) {
        self.polyline(&[from, to], pen);
    }

    /// A filled rectangle with its edges on whole pixels.
    pub(crate) fn rectangle(
        &mut self,
        left: f64,
        top: f64,
        width: f64,
        height: f64,
        colour: Rgb,
        alpha: f64,
    ) {
        let edges = Edges::new(left, top, width, height);
        if edges.is_finite() {
            self.marks.push(Mark::Rectangle {
                edges,
                colour,
                alpha,
            });
        }
    }

    /// A filled disc: the many points of a scatter.
    pub(crate) fn disc(&mut self, centre: [f64; 2], radius: f64, colour: Rgb, alpha: f64) {
        if centre.iter().all(|v| v.is_finite()) && radius > 0.0 {
            self.marks.push(Mark::Disc {
                centre,
                radius,
                colour,
                alpha,
            });
        }
    }

    /// An image stretched over a rectangle, each pixel a rectangle of one colour.
    pub(crate) fn image(
        &mut self,
        image: ImageRef<'_>,
        left: f64,
        top: f64,
        width: f64,
        height: f64,
        alpha: f64,
    ) {
        let edges = Edges::new(left, top, width, height);
        if image.width() > 0 && image.height() > 0 && edges.is_finite() {
            self.marks.push(Mark::Image {
                image: image.to_image(),
                edges,
                alpha,
            });
        }
    }

    /// One line of text.
    pub(crate) fn text(
        &mut self,
        text: &str,
        at: [f64; 2],
        across: Across,
        along: Along,
        look: TextLook,
    ) {
        if text.is_empty() || at.iter().any(|v| !v.is_finite()) {
            return;
        }
        let width = text_width(text, look.size, look.weight);
        let back = match across {
            Across::Left => 0.0,
            Across::Centre => 0.5 * width,
            Across::Right => width,
        };
        let down = match along {
            Along::Baseline => 0.0,
            Along::Middle => 0.5 * cap_height(look.size),
            Along::Top => cap_height(look.size),
        };
        let origin = if look.turned {
            // Reading upwards, the top of the letters is on the left and the
            // line starts at the bottom.
            [at[0] + down, at[1] + back]
        } else {
            [at[0] - back, at[1] + down]
        };
        self.marks.push(Mark::Text {
            text: text.to_string(),
            origin,
            look,
        });
    }
}

/// An image as files hold it that other programs show: they may blur where they enlarge, so that
/// pixels larger than a canvas unit are repeated until they are a quarter of one.
pub(crate) fn sharp(image: &Image, edges: Edges) -> Cow<'_, Image> {
    let longer = |image: &Image| image.as_ref().width().max(image.as_ref().height());
    let width = edges.right - edges.left;
    let unit = width / image.as_ref().width() as f64;
    let most = MOST_PIXELS / longer(image);
    let factor = ((4.0 * unit).ceil() as usize).min(most);
    match image {
        _ if unit <= 1.0 || factor <= 1 => Cow::Borrowed(image),
        Image::Gray(image) => Cow::Owned(image.scaled(factor).into()),
        Image::Rgb(image) => Cow::Owned(image.scaled(factor).into()),
    }
}

/// Longer side of an image that was enlarged to be sharp.
const MOST_PIXELS: usize = 4096;

/// A closed or open path through the finite points; a non-finite one interrupts an open path.
pub(crate) fn polygon_path(points: &[[f64; 2]], closed: bool) -> Option<Path> {
    let mut builder = PathBuilder::new();
    let mut down = false;
    for [x, y] in points {
        if !(x.is_finite() && y.is_finite()) {
            down = down && closed;
        } else if down {
            builder.line_to(*x as f32, *y as f32);
        } else {
            builder.move_to(*x as f32, *y as f32);
            down = true;
        }
    }
    if closed {
        builder.close();
    }
    builder.finish()
}
