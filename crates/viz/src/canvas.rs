use tiny_skia::{
    FillRule, LineCap, LineJoin, Mask, Paint, Path, PathBuilder, Pixmap, Rect, Stroke, StrokeDash,
    Transform,
};

use crate::font::{Weight, cap_height, outline, placement, text_width};
use crate::{ImageRef, Rgb, RgbImage};

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

/// An opaque picture under construction, in units of which each is `scale` pixels.
pub(crate) struct Canvas {
    pixmap: Pixmap,
    scale: f64,
    clip: Option<Clip>,
    /// The smallest rectangle around all text drawn, for the test that none is cut off.
    text_bounds: Option<[f64; 4]>,
}

struct Clip {
    mask: Mask,
    left: i32,
    top: i32,
    right: i32,
    bottom: i32,
}

impl Canvas {
    /// A white canvas of at least one pixel.
    pub(crate) fn new(width: f64, height: f64, scale: f64) -> Canvas {
        let pixels = |length: f64| (length * scale).round().clamp(1.0, 60_000.0) as u32;
        let mut pixmap = Pixmap::new(pixels(width), pixels(height))
            .expect("between 1 and 60 000 pixels on a side fit a pixmap");
        pixmap.fill(tiny_skia::Color::WHITE);
        Canvas {
            pixmap,
            scale,
            clip: None,
            text_bounds: None,
        }
    }

    pub(crate) fn scale(&self) -> f64 {
        self.scale
    }

    pub(crate) fn pixel_size(&self) -> (u32, u32) {
        (self.pixmap.width(), self.pixmap.height())
    }

    #[cfg(test)]
    pub(crate) fn text_bounds(&self) -> Option<[f64; 4]> {
        self.text_bounds
    }

    pub(crate) fn into_image(self) -> RgbImage {
        let (width, height) = (self.pixmap.width() as usize, self.pixmap.height() as usize);
        let bytes = self
            .pixmap
            .data()
            .chunks_exact(4)
            .flat_map(|pixel| [pixel[0], pixel[1], pixel[2]])
            .collect();
        RgbImage::from_pixels(width, height, bytes).expect("three bytes were taken of each pixel")
    }

    /// Keeps everything drawn until [`Canvas::unclip`] inside of a rectangle.
    pub(crate) fn clip(&mut self, left: f64, top: f64, width: f64, height: f64) {
        let mut mask = Mask::new(self.pixmap.width(), self.pixmap.height())
            .expect("the pixmap of the same size exists");
        let edge = |length: f64| (length * self.scale).round();
        let (x0, y0) = (edge(left), edge(top));
        let (x1, y1) = (edge(left + width), edge(top + height));
        if let Some(rect) = Rect::from_ltrb(x0 as f32, y0 as f32, x1 as f32, y1 as f32) {
            mask.fill_path(
                &PathBuilder::from_rect(rect),
                FillRule::Winding,
                false,
                Transform::identity(),
            );
        }
        self.clip = Some(Clip {
            mask,
            left: (x0 as i32).max(0),
            top: (y0 as i32).max(0),
            right: (x1 as i32).min(self.pixmap.width() as i32),
            bottom: (y1 as i32).min(self.pixmap.height() as i32),
        });
    }

    pub(crate) fn unclip(&mut self) {
        self.clip = None;
    }

    pub(crate) fn fill(&mut self, path: &Path, colour: Rgb, alpha: f64) {
        self.fill_at(path, colour, alpha, Transform::identity());
    }

    fn fill_at(&mut self, path: &Path, colour: Rgb, alpha: f64, transform: Transform) {
        let scale = self.scale as f32;
        self.pixmap.fill_path(
            path,
            &paint(colour, alpha),
            FillRule::Winding,
            transform.post_scale(scale, scale),
            self.clip.as_ref().map(|clip| &clip.mask),
        );
    }

    pub(crate) fn stroke(&mut self, path: &Path, pen: Pen) {
        self.stroke_at(path, pen, Transform::identity());
    }

    fn stroke_at(&mut self, path: &Path, pen: Pen, transform: Transform) {
        let scale = self.scale as f32;
        let stroke = Stroke {
            width: pen.width as f32,
            line_cap: if pen.dash.is_some() {
                LineCap::Butt
            } else {
                LineCap::Round
            },
            line_join: LineJoin::Round,
            dash: pen
                .dash
                .and_then(|[on, off]| StrokeDash::new(vec![on as f32, off as f32], 0.0)),
            ..Stroke::default()
        };
        self.pixmap.stroke_path(
            path,
            &paint(pen.colour, pen.alpha),
            &stroke,
            transform.post_scale(scale, scale),
            self.clip.as_ref().map(|clip| &clip.mask),
        );
    }

    pub(crate) fn polyline(&mut self, points: &[[f64; 2]], pen: Pen) {
        if let Some(path) = polygon_path(points, false) {
            self.stroke(&path, pen);
        }
    }

    pub(crate) fn polygon(&mut self, points: &[[f64; 2]], colour: Rgb, alpha: f64) {
        if let Some(path) = polygon_path(points, true) {
            self.fill(&path, colour, alpha);
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
        let edge = |length: f64| (length * self.scale).round() / self.scale;
        let rect = Rect::from_ltrb(
            edge(left) as f32,
            edge(top) as f32,
            edge(left + width) as f32,
            edge(top + height) as f32,
        );
        if let Some(rect) = rect {
            self.fill(&PathBuilder::from_rect(rect), colour, alpha);
        }
    }

    /// A filled disc: the many points of a scatter. Its edge is antialiased by distance, which is
    /// faster than a path and as smooth at these sizes.
    pub(crate) fn disc(&mut self, centre: [f64; 2], radius: f64, colour: Rgb, alpha: f64) {
        let (x, y) = (centre[0] * self.scale, centre[1] * self.scale);
        let radius = radius * self.scale;
        if !(x.is_finite() && y.is_finite() && radius > 0.0) {
            return;
        }
        let (width, height) = (self.pixmap.width() as i32, self.pixmap.height() as i32);
        let (left, top, right, bottom) = match &self.clip {
            Some(clip) => (clip.left, clip.top, clip.right, clip.bottom),
            None => (0, 0, width, height),
        };
        let reach = radius + 0.5;
        let first_x = ((x - reach).floor() as i32).max(left);
        let last_x = ((x + reach).ceil() as i32).min(right);
        let first_y = ((y - reach).floor() as i32).max(top);
        let last_y = ((y + reach).ceil() as i32).min(bottom);
        let data = self.pixmap.data_mut();
        for row in first_y..last_y {
            for column in first_x..last_x {
                let (dx, dy) = (f64::from(column) + 0.5 - x, f64::from(row) + 0.5 - y);
                let coverage = (reach - (dx * dx + dy * dy).sqrt()).clamp(0.0, 1.0);
                let weight = coverage * alpha;
                if weight > 0.0 {
                    let at = 4 * (row as usize * width as usize + column as usize);
                    for (channel, target) in [colour.0, colour.1, colour.2].iter().enumerate() {
                        let old = f64::from(data[at + channel]);
                        data[at + channel] =
                            (old + (f64::from(*target) - old) * weight).round() as u8;
                    }
                }
            }
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
        if image.width() == 0 || image.height() == 0 {
            return;
        }
        let edge = |length: f64| (length * self.scale).round();
        let (x0, x1) = (edge(left), edge(left + width));
        let (y0, y1) = (edge(top), edge(top + height));
        let (canvas_width, canvas_height) = self.pixel_size();
        let bounds = match &self.clip {
            Some(clip) => (clip.left, clip.top, clip.right, clip.bottom),
            None => (0, 0, canvas_width as i32, canvas_height as i32),
        };
        let data = self.pixmap.data_mut();
        for row in (y0 as i32).max(bounds.1)..(y1 as i32).min(bounds.3) {
            let v = (f64::from(row) + 0.5 - y0) / (y1 - y0) * image.height() as f64;
            let v = (v as usize).min(image.height() - 1);
            for column in (x0 as i32).max(bounds.0)..(x1 as i32).min(bounds.2) {
                let u = (f64::from(column) + 0.5 - x0) / (x1 - x0) * image.width() as f64;
                let colour = image.get((u as usize).min(image.width() - 1), v);
                let at = 4 * (row as usize * canvas_width as usize + column as usize);
                for (channel, target) in [colour.0, colour.1, colour.2].iter().enumerate() {
                    let old = f64::from(data[at + channel]);
                    data[at + channel] = (old + (f64::from(*target) - old) * alpha).round() as u8;
                }
            }
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
        let (x, y) = if look.turned {
            // Reading upwards, the top of the letters is on the left and the
            // line starts at the bottom.
            (at[0] + down, at[1] + back)
        } else {
            (at[0] - back, at[1] + down)
        };
        let Some(path) = outline(text, look.size, look.weight) else {
            return;
        };
        let transform = placement(x, y, look.turned);
        if look.halo > 0.0 {
            let pen = Pen {
                alpha: 0.9,
                ..Pen::new(Rgb::WHITE, 2.0 * look.halo)
            };
            self.stroke_at(&path, pen, transform);
        }
        if let Some(placed) = path.clone().transform(transform) {
            let bounds = placed.bounds();
            let new = [bounds.left(), bounds.top(), bounds.right(), bounds.bottom()].map(f64::from);
            let old = self.text_bounds.unwrap_or(new);
            self.text_bounds = Some([
                old[0].min(new[0]),
                old[1].min(new[1]),
                old[2].max(new[2]),
                old[3].max(new[3]),
            ]);
        }
        self.fill_at(&path, look.colour, 1.0, transform);
    }
}

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

fn paint(colour: Rgb, alpha: f64) -> Paint<'static> {
    let mut paint = Paint::default();
    let alpha = (alpha.clamp(0.0, 1.0) * 255.0).round() as u8;
    paint.set_color_rgba8(colour.0, colour.1, colour.2, alpha);
    paint.anti_alias = true;
    paint
}
