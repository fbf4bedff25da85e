//! A canvas as pixels.

use tiny_skia::{
    FillRule, LineCap, LineJoin, Mask, Paint, Path, PathBuilder, Pixmap, Rect, Stroke, StrokeDash,
    Transform,
};

use crate::canvas::{Canvas, Edges, Mark, Pen, TextLook};
use crate::font::{outline, placement};
use crate::{Image, Rgb, RgbImage};

pub(crate) fn rasterised(canvas: &Canvas) -> RgbImage {
    let (width, height) = canvas.pixel_size();
    let mut pixmap =
        Pixmap::new(width, height).expect("between 1 and 60 000 pixels on a side fit a pixmap");
    pixmap.fill(tiny_skia::Color::WHITE);
    let mut raster = Raster {
        pixmap,
        scale: canvas.scale(),
        clip: None,
    };
    for mark in canvas.marks() {
        raster.draw(mark);
    }
    raster.into_image()
}

struct Raster {
    pixmap: Pixmap,
    scale: f64,
    clip: Option<Clip>,
}

struct Clip {
    mask: Mask,
    /// Left, top, right and bottom in pixels.
    bounds: [i32; 4],
}

impl Raster {
    fn draw(&mut self, mark: &Mark) {
        match mark {
            Mark::Fill {
                path,
                colour,
                alpha,
            } => self.fill(path, *colour, *alpha, Transform::identity()),
            Mark::Stroke { path, pen } => self.stroke(path, *pen, Transform::identity()),
            Mark::Rectangle {
                edges,
                colour,
                alpha,
            } => self.rectangle(*edges, *colour, *alpha),
            Mark::Disc {
                centre,
                radius,
                colour,
                alpha,
            } => self.disc(*centre, *radius, *colour, *alpha),
            Mark::Image {
                image,
                edges,
                alpha,
            } => self.image(image, *edges, *alpha),
            Mark::Text { text, origin, look } => self.text(text, *origin, *look),
            Mark::Clip(edges) => self.clip(*edges),
            Mark::Unclip => self.clip = None,
        }
    }

    fn into_image(self) -> RgbImage {
        let (width, height) = (self.pixmap.width() as usize, self.pixmap.height() as usize);
        let bytes = self
            .pixmap
            .data()
            .chunks_exact(4)
            .flat_map(|pixel| [pixel[0], pixel[1], pixel[2]])
            .collect();
        RgbImage::from_pixels(width, height, bytes).expect("three bytes were taken of each pixel")
    }

    fn clip(&mut self, edges: Edges) {
        let mut mask = Mask::new(self.pixmap.width(), self.pixmap.height())
            .expect("the pixmap of the same size exists");
        let [x0, y0, x1, y1] = edges.pixels(self.scale);
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
            bounds: [
                (x0 as i32).max(0),
                (y0 as i32).max(0),
                (x1 as i32).min(self.pixmap.width() as i32),
                (y1 as i32).min(self.pixmap.height() as i32),
            ],
        });
    }

    /// Left, top, right and bottom of what may be drawn on, in pixels.
    fn bounds(&self) -> [i32; 4] {
        let whole = [
            0,
            0,
            self.pixmap.width() as i32,
            self.pixmap.height() as i32,
        ];
        self.clip.as_ref().map_or(whole, |clip| clip.bounds)
    }

    fn fill(&mut self, path: &Path, colour: Rgb, alpha: f64, transform: Transform) {
        let scale = self.scale as f32;
        self.pixmap.fill_path(
            path,
            &paint(colour, alpha),
            FillRule::Winding,
            transform.post_scale(scale, scale),
            self.clip.as_ref().map(|clip| &clip.mask),
        );
    }

    fn stroke(&mut self, path: &Path, pen: Pen, transform: Transform) {
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

    fn rectangle(&mut self, edges: Edges, colour: Rgb, alpha: f64) {
        let [left, top, right, bottom] = edges
            .pixels(self.scale)
            .map(|edge| (edge / self.scale) as f32);
        if let Some(rect) = Rect::from_ltrb(left, top, right, bottom) {
            let path = PathBuilder::from_rect(rect);
            self.fill(&path, colour, alpha, Transform::identity());
        }
    }

    /// The edge is antialiased by distance, which is faster than a path and as smooth at the size
    /// of a scatter's points.
    fn disc(&mut self, centre: [f64; 2], radius: f64, colour: Rgb, alpha: f64) {
        let (x, y) = (centre[0] * self.scale, centre[1] * self.scale);
        let reach = radius * self.scale + 0.5;
        let [left, top, right, bottom] = self.bounds();
        let first_x = ((x - reach).floor() as i32).max(left);
        let last_x = ((x + reach).ceil() as i32).min(right);
        let first_y = ((y - reach).floor() as i32).max(top);
        let last_y = ((y + reach).ceil() as i32).min(bottom);
        for row in first_y..last_y {
            for column in first_x..last_x {
                let (dx, dy) = (f64::from(column) + 0.5 - x, f64::from(row) + 0.5 - y);
                let coverage = (reach - (dx * dx + dy * dy).sqrt()).clamp(0.0, 1.0);
                let weight = coverage * alpha;
                if weight > 0.0 {
                    self.blend(column, row, colour, weight);
                }
            }
        }
    }

    fn image(&mut self, image: &Image, edges: Edges, alpha: f64) {
        let [x0, y0, x1, y1] = edges.pixels(self.scale);
        // Where there are fewer pixels than the image has, each is a mean.
        let reduced = image
            .as_ref()
            .reduced((x1 - x0).max(0.0) as usize, (y1 - y0).max(0.0) as usize);
        let image = reduced.as_ref();
        let [left, top, right, bottom] = self.bounds();
        for row in (y0 as i32).max(top)..(y1 as i32).min(bottom) {
            let v = (f64::from(row) + 0.5 - y0) / (y1 - y0) * image.height() as f64;
            let v = (v as usize).min(image.height() - 1);
            for column in (x0 as i32).max(left)..(x1 as i32).min(right) {
                let u = (f64::from(column) + 0.5 - x0) / (x1 - x0) * image.width() as f64;
                let colour = image.get((u as usize).min(image.width() - 1), v);
                self.blend(column, row, colour, alpha);
            }
        }
    }

    fn blend(&mut self, column: i32, row: i32, colour: Rgb, weight: f64) {
        let at = 4 * (row as usize * self.pixmap.width() as usize + column as usize);
        let data = self.pixmap.data_mut();
        for (channel, target) in [colour.0, colour.1, colour.2].iter().enumerate() {
            let old = f64::from(data[at + channel]);
            data[at + channel] = (old + (f64::from(*target) - old) * weight).round() as u8;
        }
    }

    fn text(&mut self, text: &str, origin: [f64; 2], look: TextLook) {
        let Some(path) = outline(text, look.size, look.weight) else {
            return;
        };
        let transform = placement(origin[0], origin[1], look.turned);
        if let Some(pen) = look.halo_pen() {
            self.stroke(&path, pen, transform);
        }
        self.fill(&path, look.colour, 1.0, transform);
    }
}

fn paint(colour: Rgb, alpha: f64) -> Paint<'static> {
    let mut paint = Paint::default();
    let alpha = (alpha.clamp(0.0, 1.0) * 255.0).round() as u8;
    paint.set_color_rgba8(colour.0, colour.1, colour.2, alpha);
    paint.anti_alias = true;
    paint
}
