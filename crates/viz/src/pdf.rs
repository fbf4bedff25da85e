//! A canvas as a PDF file of one page. Text is outlines, images keep their pixels, and everything
//! is compressed.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use pdf_writer::types::{LineCapStyle, LineJoinStyle};
use pdf_writer::{Content, Filter, Finish, Name, Pdf, Rect, Ref, TextStr};
use tiny_skia::{Path, PathSegment, Point, Transform};

use crate::canvas::{Canvas, Edges, Mark, Pen, sharp};
use crate::font::{outline, placement};
use crate::{Image, ImageRef, Rgb, VizError};

/// The file, with a unit of the canvas `points` typographic points long.
///
/// # Errors
///
/// [`VizError::Shape`] for an image with more pixels on a side than a PDF can say.
pub(crate) fn pdf(
    canvas: &Canvas,
    title: &str,
    description: &str,
    points: f64,
) -> Result<Vec<u8>, VizError> {
    let [width, height] = canvas.size().map(|length| rounded(length * points));
    let mut page = Page::new(canvas.scale(), points as f32, height);
    for mark in canvas.marks() {
        page.draw(mark);
    }
    page.unclip();

    let mut references = (1..).map(Ref::new);
    let mut next = move || references.next().unwrap_or(Ref::new(i32::MAX));
    let [catalog, pages, only, contents, information] = [(); 5].map(|()| next());
    let states: Vec<(u8, Ref)> = page.alphas.iter().map(|&alpha| (alpha, next())).collect();
    let pictures: Vec<Ref> = page.images.iter().map(|_| next()).collect();

    let mut pdf = Pdf::new();
    pdf.catalog(catalog).pages(pages);
    pdf.pages(pages).kids([only]).count(1);
    let mut leaf = pdf.page(only);
    leaf.parent(pages)
        .media_box(Rect::new(0.0, 0.0, width, height))
        .contents(contents);
    let mut resources = leaf.resources();
    let mut dictionary = resources.ext_g_states();
    for (alpha, reference) in &states {
        dictionary.pair(Name(state_name(*alpha).as_bytes()), *reference);
    }
    dictionary.finish();
    let mut dictionary = resources.x_objects();
    for (index, reference) in pictures.iter().enumerate() {
        dictionary.pair(Name(image_name(index).as_bytes()), *reference);
    }
    dictionary.finish();
    resources.finish();
    leaf.finish();
    for (alpha, reference) in states {
        let opacity = f32::from(alpha) / 255.0;
        pdf.ext_graphics(reference)
            .stroking_alpha(opacity)
            .non_stroking_alpha(opacity);
    }
    for (image, reference) in page.images.iter().zip(pictures) {
        let image = Image::as_ref(image);
        let [width, height] = [side(image.width())?, side(image.height())?];
        let data = deflated(image.bytes());
        let mut object = pdf.image_xobject(reference, &data);
        object.filter(Filter::FlateDecode);
        object.width(width).height(height).bits_per_component(8);
        match image {
            ImageRef::Gray(_) => object.color_space().device_gray(),
            ImageRef::Rgb(_) => object.color_space().device_rgb(),
        };
        object.interpolate(false);
    }
    let data = deflated(&page.content.finish());
    pdf.stream(contents, &data).filter(Filter::FlateDecode);
    let mut about = pdf.document_info(information);
    if !title.is_empty() {
        about.title(TextStr(title));
    }
    if !description.is_empty() {
        about.subject(TextStr(description));
    }
    about.finish();
    Ok(pdf.finish())
}

fn side(pixels: usize) -> Result<i32, VizError> {
    i32::try_from(pixels).map_err(|_| {
        VizError::shape(
            "pixels on a side of an image in a PDF",
            pixels,
            "less than 2³¹",
        )
    })
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    written.expect("a vector in memory takes all bytes")
}

/// The page's content while it is written, with what is set at this point of it.
struct Page<'a> {
    content: Content,
    scale: f64,
    images: Vec<Cow<'a, Image>>,
    alphas: BTreeSet<u8>,
    set: Set,
    /// What was set before the clip.
    clipped: Option<Set>,
}

/// Graphics state; what is `None` was not set yet.
#[derive(Clone, Copy, Default)]
struct Set {
    fill: Option<Rgb>,
    stroke: Option<Rgb>,
    alpha: Option<u8>,
    width: Option<f32>,
    dash: Option<[f32; 2]>,
}

impl<'a> Page<'a> {
    fn new(scale: f64, points: f32, height: f32) -> Page<'a> {
        let mut content = Content::new();
        // As on the canvas: y downwards from the upper edge.
        content.transform([points, 0.0, 0.0, -points, 0.0, height]);
        content.set_line_join(LineJoinStyle::RoundJoin);
        content.set_line_cap(LineCapStyle::RoundCap);
        Page {
            content,
            scale,
            images: Vec::new(),
            alphas: BTreeSet::new(),
            set: Set::default(),
            clipped: None,
        }
    }

    fn draw(&mut self, mark: &'a Mark) {
        match mark {
            Mark::Fill {
                path,
                colour,
                alpha,
            } => self.fill(path, *colour, *alpha),
            Mark::Stroke { path, pen } => self.stroke(path, *pen),
            Mark::Rectangle {
                edges,
                colour,
                alpha,
            } => {
                self.ink(*colour, *alpha);
                let [x, y, width, height] = self.sides(*edges);
                self.content.rect(x, y, width, height);
                self.content.fill_nonzero();
            }
            Mark::Disc {
                centre,
                radius,
                colour,
                alpha,
            } => {
                // A line without length has round ends only: the shortest way to write a disc.
                self.pen(Pen {
                    alpha: *alpha,
                    ..Pen::new(*colour, 2.0 * radius)
                });
                let [x, y] = centre.map(rounded);
                self.content.move_to(x, y).line_to(x, y).stroke();
            }
            Mark::Image {
                image,
                edges,
                alpha,
            } => {
                self.alpha(*alpha);
                let [x, y, width, height] = self.sides(*edges);
                self.content.save_state();
                self.content
                    .transform([width, 0.0, 0.0, -height, x, y + height]);
                let name = image_name(self.images.len());
                self.content.x_object(Name(name.as_bytes()));
                self.content.restore_state();
                self.images.push(sharp(image, *edges));
            }
            Mark::Text { text, origin, look } => {
                let place: Transform = placement(origin[0], origin[1], look.turned);
                let path = outline(text, look.size, look.weight);
                if let Some(path) = path.and_then(|path| path.transform(place)) {
                    if let Some(pen) = look.halo_pen() {
                        self.stroke(&path, pen);
                    }
                    self.fill(&path, look.colour, 1.0);
                }
            }
            Mark::Clip(edges) => {
                self.unclip();
                self.content.save_state();
                self.clipped = Some(self.set);
                let [x, y, width, height] = self.sides(*edges);
                self.content.rect(x, y, width, height);
                self.content.clip_nonzero().end_path();
            }
            Mark::Unclip => self.unclip(),
        }
    }

    fn unclip(&mut self) {
        if let Some(set) = self.clipped.take() {
            self.content.restore_state();
            self.set = set;
        }
    }

    fn sides(&self, edges: Edges) -> [f32; 4] {
        let [left, top, right, bottom] = edges.pixels(self.scale).map(|edge| edge / self.scale);
        [left, top, (right - left).max(0.0), (bottom - top).max(0.0)].map(rounded)
    }

    fn fill(&mut self, path: &Path, colour: Rgb, alpha: f64) {
        self.ink(colour, alpha);
        self.path(path);
        self.content.fill_nonzero();
    }

    fn stroke(&mut self, path: &Path, pen: Pen) {
        self.pen(pen);
        self.path(path);
        self.content.stroke();
    }

    fn ink(&mut self, colour: Rgb, alpha: f64) {
        self.alpha(alpha);
        if self.set.fill.replace(colour) != Some(colour) {
            let [r, g, b] = channels(colour);
            self.content.set_fill_rgb(r, g, b);
        }
    }

    fn pen(&mut self, pen: Pen) {
        self.alpha(pen.alpha);
        if self.set.stroke.replace(pen.colour) != Some(pen.colour) {
            let [r, g, b] = channels(pen.colour);
            self.content.set_stroke_rgb(r, g, b);
        }
        let width = rounded(pen.width);
        if self.set.width.replace(width) != Some(width) {
            self.content.set_line_width(width);
        }
        let dash = pen.dash.map(|lengths| lengths.map(rounded));
        if self.set.dash != dash {
            self.set.dash = dash;
            self.content
                .set_dash_pattern(dash.into_iter().flatten(), 0.0);
            // Dashes end squarely, or short ones would grow together.
            self.content.set_line_cap(match dash {
                Some(_) => LineCapStyle::ButtCap,
                None => LineCapStyle::RoundCap,
            });
        }
    }

    fn alpha(&mut self, alpha: f64) {
        let alpha = (alpha.clamp(0.0, 1.0) * 255.0).round() as u8;
        if self.set.alpha.replace(alpha) != Some(alpha) {
            self.alphas.insert(alpha);
            self.content
                .set_parameters(Name(state_name(alpha).as_bytes()));
        }
    }

    fn path(&mut self, path: &Path) {
        let mut last = Point::zero();
        let at = |point: Point| [point.x, point.y].map(|v| rounded(f64::from(v)));
        for segment in path.segments() {
            match segment {
                PathSegment::MoveTo(to) => {
                    let [x, y] = at(to);
                    self.content.move_to(x, y);
                    last = to;
                }
                PathSegment::LineTo(to) => {
                    let [x, y] = at(to);
                    self.content.line_to(x, y);
                    last = to;
                }
                PathSegment::QuadTo(control, to) => {
                    // The same curve as one of the third degree, the only ones that a PDF has.
                    let toward = |from: Point| {
                        Point::from_xy(
                            from.x + (control.x - from.x) * (2.0 / 3.0),
                            from.y + (control.y - from.y) * (2.0 / 3.0),
                        )
                    };
                    let ([a, b], [c, d], [x, y]) = (at(toward(last)), at(toward(to)), at(to));
                    self.content.cubic_to(a, b, c, d, x, y);
                    last = to;
                }
                PathSegment::CubicTo(first, second, to) => {
                    let ([a, b], [c, d], [x, y]) = (at(first), at(second), at(to));
                    self.content.cubic_to(a, b, c, d, x, y);
                    last = to;
                }
                PathSegment::Close => {
                    self.content.close_path();
                }
            }
        }
    }
}

fn state_name(alpha: u8) -> String {
    format!("Alpha{alpha}")
}

fn image_name(index: usize) -> String {
    format!("Image{index}")
}

fn channels(Rgb(r, g, b): Rgb) -> [f32; 3] {
    // Four digits tell all 256 steps apart.
    [r, g, b].map(|channel| ((f64::from(channel) / 255.0 * 1e4).round() / 1e4) as f32)
}

/// To a hundredth, which is written with two digits.
fn rounded(value: f64) -> f32 {
    ((value * 100.0).round() / 100.0) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mark_is_what_the_format_means_by_it() {
        let mut canvas = Canvas::new(100.0, 50.0, 2.0);
        canvas.rectangle(10.1, 20.0, 30.0, 5.0, Rgb(255, 0, 51), 1.0);
        canvas.clip(0.0, 0.0, 60.0, 40.0);
        canvas.disc([12.5, 8.0], 2.25, Rgb(0, 0, 0), 0.5);
        let pen = Pen {
            dash: Some([4.0, 3.0]),
            ..Pen::new(Rgb(0, 0, 0), 1.5)
        };
        canvas.line([1.0, 2.0], [3.0, 4.004], pen);
        canvas.unclip();
        canvas.rectangle(0.0, 0.0, 1.0, 1.0, Rgb(255, 0, 51), 1.0);
        let image = crate::GrayImage::new(40, 20, 7);
        canvas.image((&image).into(), 50.0, 10.0, 20.0, 10.0, 1.0);
        let mut page = Page::new(2.0, 0.75, 37.5);
        for mark in canvas.marks() {
            page.draw(mark);
        }
        let content = page.content.finish();
        let content = String::from_utf8_lossy(content.as_slice());
        let expected = "\
            0.75 0 0 -0.75 0 37.5 cm\n1 j\n1 J\n\
            /Alpha255 gs\n1 0 0.2 rg\n10 20 30 5 re\nf\n\
            q\n0 0 60 40 re\nW\nn\n\
            /Alpha128 gs\n0 0 0 RG\n4.5 w\n12.5 8 m\n12.5 8 l\nS\n\
            /Alpha255 gs\n1.5 w\n[4 3] 0 d\n0 J\n1 2 m\n3 4 l\nS\n\
            Q\n0 0 1 1 re\nf\n\
            q\n20 0 0 -10 50 20 cm\n/Image0 Do\nQ";
        assert_eq!(content.trim_end(), expected);
        assert_eq!(page.images[0].as_ref(), &Image::from(image));
    }

    #[test]
    fn a_curve_of_the_second_degree_keeps_its_middle() {
        let mut path = tiny_skia::PathBuilder::new();
        path.move_to(0.0, 0.0);
        path.quad_to(3.0, 6.0, 6.0, 0.0);
        let mut page = Page::new(1.0, 1.0, 10.0);
        page.path(&path.finish().unwrap());
        let content = page.content.finish();
        let content = String::from_utf8_lossy(content.as_slice()).to_string();
        let curve = content.lines().find(|line| line.ends_with(" c")).unwrap();
        assert_eq!(curve, "2 4 4 4 6 0 c");
    }
}
