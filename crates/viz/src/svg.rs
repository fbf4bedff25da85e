//! A canvas as an SVG 1.1 file.
//!
//! Letters are outlines that are defined once and used where they stand, so the picture looks the
//! same where the font is not installed; each line's words are its `aria-label`.

use std::collections::BTreeSet;
use std::fmt::Write;

use tiny_skia::{Path, PathSegment};

use crate::canvas::{Canvas, Edges, Mark, Pen, TextLook, sharp};
use crate::font::{Glyph, glyph_outline, glyphs, units_per_em};
use crate::{Image, Rgb, VizError, Weight, encode_png};

/// The file, with a unit of the canvas `points` typographic points long.
///
/// # Errors
///
/// As [`encode_png`], which the images of the picture are embedded with.
pub(crate) fn svg(
    canvas: &Canvas,
    title: &str,
    description: &str,
    points: f64,
) -> Result<Vec<u8>, VizError> {
    let mut writer = Writer {
        scale: canvas.scale(),
        body: String::new(),
        clips: Vec::new(),
        used: BTreeSet::new(),
        clipped: false,
    };
    for mark in canvas.marks() {
        writer.draw(mark)?;
    }
    writer.unclip();
    let [width, height] = canvas.size();
    let [w, h] = [width, height].map(number);
    let [wide, high] = [width, height].map(|length| number(length * points));
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <svg xmlns=\"http://www.w3.org/2000/svg\" xmlns:xlink=\"http://www.w3.org/1999/xlink\" \
         version=\"1.1\" width=\"{wide}pt\" height=\"{high}pt\" viewBox=\"0 0 {w} {h}\">\n"
    );
    for (element, content) in [("title", title), ("desc", description)] {
        if !content.is_empty() {
            let _ = writeln!(text, "<{element}>{}</{element}>", escaped(content));
        }
    }
    text.push_str(&writer.definitions());
    let _ = writeln!(text, "<rect width=\"{w}\" height=\"{h}\" fill=\"#fff\"/>");
    text.push_str(&writer.body);
    text.push_str("</svg>\n");
    Ok(text.into_bytes())
}

struct Writer {
    scale: f64,
    body: String,
    clips: Vec<String>,
    /// Glyphs to define.
    used: BTreeSet<(bool, Glyph)>,
    clipped: bool,
}

impl Writer {
    fn draw(&mut self, mark: &Mark) -> Result<(), VizError> {
        // Writing to a string cannot fail.
        match mark {
            Mark::Fill {
                path,
                colour,
                alpha,
            } => {
                let (data, fill) = (path_data(path), fill(*colour, *alpha));
                let _ = writeln!(self.body, "<path d=\"{data}\"{fill}/>");
            }
            Mark::Stroke { path, pen } => {
                let (data, stroke) = (path_data(path), stroke(*pen));
                let _ = writeln!(self.body, "<path d=\"{data}\"{stroke}/>");
            }
            Mark::Rectangle {
                edges,
                colour,
                alpha,
            } => {
                let (sides, fill) = (self.sides(*edges), fill(*colour, *alpha));
                // Bars side by side have no seam.
                let crisp = "shape-rendering=\"crispEdges\"";
                let _ = writeln!(self.body, "<rect {sides}{fill} {crisp}/>");
            }
            Mark::Disc {
                centre,
                radius,
                colour,
                alpha,
            } => {
                let [x, y] = centre.map(number);
                let (radius, fill) = (number(*radius), fill(*colour, *alpha));
                let _ = writeln!(
                    self.body,
                    "<circle cx=\"{x}\" cy=\"{y}\" r=\"{radius}\"{fill}/>"
                );
            }
            Mark::Image {
                image,
                edges,
                alpha,
            } => self.image(image, *edges, *alpha)?,
            Mark::Text { text, origin, look } => self.text(text, *origin, *look),
            Mark::Clip(edges) => {
                self.unclip();
                let clip = self.clips.len();
                self.clips.push(self.sides(*edges));
                let _ = writeln!(self.body, "<g clip-path=\"url(#clip{clip})\">");
                self.clipped = true;
            }
            Mark::Unclip => self.unclip(),
        }
        Ok(())
    }

    fn unclip(&mut self) {
        if std::mem::take(&mut self.clipped) {
            self.body.push_str("</g>\n");
        }
    }

    fn image(&mut self, image: &Image, edges: Edges, alpha: f64) -> Result<(), VizError> {
        let image = sharp(image, edges);
        let data = base64(&encode_png(image.as_ref(), &[])?);
        let (sides, opacity) = (self.sides(edges), opacity("opacity", alpha));
        // The attribute is SVG 1.1's word for it, the style CSS's; without either, programs blur.
        let _ = writeln!(
            self.body,
            "<image {sides} preserveAspectRatio=\"none\" image-rendering=\"optimizeSpeed\" \
             style=\"image-rendering:pixelated\"{opacity} \
             xlink:href=\"data:image/png;base64,{data}\"/>"
        );
        Ok(())
    }

    fn text(&mut self, text: &str, [x, y]: [f64; 2], look: TextLook) {
        let mut uses = String::new();
        let semi_bold = look.weight == Weight::SemiBold;
        for (glyph, at) in glyphs(text, look.weight) {
            if glyph_outline(glyph, look.weight).is_some() {
                self.used.insert((semi_bold, glyph));
                let id = glyph_id(semi_bold, glyph);
                let _ = write!(uses, "<use xlink:href=\"#{id}\" x=\"{at}\"/>");
            }
        }
        if uses.is_empty() {
            return;
        }
        let unit = look.size / units_per_em(look.weight);
        let turn = if look.turned { " rotate(-90)" } else { "" };
        let place = format!(
            "transform=\"translate({} {}){turn} scale({})\"",
            number(x),
            number(y),
            decimals(unit, 5)
        );
        if let Some(pen) = look.halo_pen() {
            // Opaque letters in a group that is not, or they would darken each other.
            let opaque = Pen {
                alpha: 1.0,
                width: pen.width / unit,
                ..pen
            };
            let (stroke, opacity) = (stroke(opaque), opacity("opacity", pen.alpha));
            let _ = writeln!(self.body, "<g {place}{stroke}{opacity}>{uses}</g>");
        }
        let (label, fill) = (escaped(text), fill(look.colour, 1.0));
        let _ = writeln!(
            self.body,
            "<g {place}{fill} role=\"img\" aria-label=\"{label}\">{uses}</g>"
        );
    }

    fn sides(&self, edges: Edges) -> String {
        let [left, top, right, bottom] = edges.pixels(self.scale).map(|edge| edge / self.scale);
        let [x, y] = [left, top].map(number);
        let [w, h] = [right - left, bottom - top].map(|side| number(side.max(0.0)));
        format!("x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\"")
    }

    fn definitions(&self) -> String {
        let mut text = String::from("<defs>\n");
        for (index, sides) in self.clips.iter().enumerate() {
            let _ = writeln!(
                text,
                "<clipPath id=\"clip{index}\"><rect {sides}/></clipPath>"
            );
        }
        for &(semi_bold, glyph) in &self.used {
            let weight = if semi_bold {
                Weight::SemiBold
            } else {
                Weight::Regular
            };
            if let Some(path) = glyph_outline(glyph, weight) {
                let (id, data) = (glyph_id(semi_bold, glyph), path_data(&path));
                let _ = writeln!(text, "<path id=\"{id}\" d=\"{data}\"/>");
            }
        }
        text.push_str("</defs>\n");
        text
    }
}

fn glyph_id(semi_bold: bool, glyph: Glyph) -> String {
    let weight = if semi_bold { "b" } else { "r" };
    match glyph {
        Glyph::Number(number) => format!("{weight}{number}"),
        Glyph::Missing => format!("{weight}-missing"),
    }
}

fn fill(colour: Rgb, alpha: f64) -> String {
    format!(
        " fill=\"{}\"{}",
        hex(colour),
        opacity("fill-opacity", alpha)
    )
}

fn stroke(pen: Pen) -> String {
    let dash = pen.dash.map_or(String::new(), |[on, off]| {
        format!(" stroke-dasharray=\"{} {}\"", number(on), number(off))
    });
    let cap = if pen.dash.is_some() {
        ""
    } else {
        " stroke-linecap=\"round\""
    };
    format!(
        " fill=\"none\" stroke=\"{}\" stroke-width=\"{}\" stroke-linejoin=\"round\"{cap}{dash}{}",
        hex(pen.colour),
        number(pen.width),
        opacity("stroke-opacity", pen.alpha)
    )
}

fn opacity(attribute: &str, alpha: f64) -> String {
    if alpha >= 1.0 {
        String::new()
    } else {
        format!(" {attribute}=\"{}\"", decimals(alpha.max(0.0), 3))
    }
}

fn hex(Rgb(r, g, b): Rgb) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// A hundredth of a canvas unit is a fiftieth of a pixel.
fn number(value: f64) -> String {
    decimals(value, 2)
}

fn decimals(value: f64, places: usize) -> String {
    let text = format!("{value:.places$}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if matches!(text, "-0" | "") {
        "0".to_string()
    } else {
        text.to_string()
    }
}

fn path_data(path: &Path) -> String {
    let mut data = String::new();
    let mut last = ' ';
    let mut put = |command: char, points: &[tiny_skia::Point]| {
        // A line after a line, or after a move, needs no letter.
        let implied = last == command && command != 'M' || (last == 'M' && command == 'L');
        if !implied {
            data.push(command);
        }
        for (index, point) in points.iter().enumerate() {
            if implied || index > 0 {
                data.push(' ');
            }
            data.push_str(&number(f64::from(point.x)));
            data.push(' ');
            data.push_str(&number(f64::from(point.y)));
        }
        last = command;
    };
    for segment in path.segments() {
        match segment {
            PathSegment::MoveTo(a) => put('M', &[a]),
            PathSegment::LineTo(a) => put('L', &[a]),
            PathSegment::QuadTo(a, b) => put('Q', &[a, b]),
            PathSegment::CubicTo(a, b, c) => put('C', &[a, b, c]),
            PathSegment::Close => put('Z', &[]),
        }
    }
    data
}

/// Text as XML may hold it: its special characters named, control characters left out.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' => escaped.push(character),
            '\u{fffe}' | '\u{ffff}' => {}
            _ if character.is_control() => {}
            _ => escaped.push(character),
        }
    }
    escaped
}

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = (0..3).fold(0u32, |bits, at| {
            bits << 8 | u32::from(group.get(at).copied().unwrap_or(0))
        });
        for digit in 0..4 {
            if digit <= group.len() {
                let value = bits >> (18 - 6 * digit) & 63;
                text.push(char::from(DIGITS[value as usize]));
            } else {
                text.push('=');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canvas::{Across, Along};

    #[test]
    fn base64_is_that_of_the_standard() {
        // RFC 4648, section 10.
        for (bytes, expected) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(bytes.as_bytes()), expected);
        }
    }

    #[test]
    fn numbers_are_short() {
        for (value, expected) in [
            (0.0, "0"),
            (-0.001, "0"),
            (12.0, "12"),
            (100.0, "100"),
            (-3.456, "-3.46"),
            (0.5, "0.5"),
        ] {
            assert_eq!(number(value), expected);
        }
    }

    #[test]
    fn each_mark_is_what_the_format_means_by_it() {
        let mut canvas = Canvas::new(100.0, 50.0, 2.0);
        canvas.rectangle(10.1, 20.0, 30.0, 5.0, Rgb(255, 0, 51), 1.0);
        canvas.clip(0.0, 0.0, 60.0, 40.0);
        canvas.disc([12.5, 8.0], 2.25, Rgb::BLACK, 0.5);
        let pen = Pen {
            dash: Some([4.0, 3.0]),
            ..Pen::new(Rgb::BLACK, 1.5)
        };
        canvas.polyline(&[[1.0, 2.0], [3.0, 4.004], [5.0, 6.0]], pen);
        canvas.unclip();
        let look = TextLook {
            turned: true,
            ..TextLook::new(12.0, Rgb::BLACK)
        };
        canvas.text("I", [5.0, 6.0], Across::Left, Along::Baseline, look);
        let text = String::from_utf8(svg(&canvas, "", "", 0.75).unwrap()).unwrap();
        let glyph = glyphs("I", Weight::Regular)[0].0;
        let unit = decimals(12.0 / units_per_em(Weight::Regular), 5);
        let id = glyph_id(false, glyph);
        let outline = path_data(&glyph_outline(glyph, Weight::Regular).unwrap());
        let expected = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>
<svg xmlns=\"http://www.w3.org/2000/svg\" xmlns:xlink=\"http://www.w3.org/1999/xlink\" \
             version=\"1.1\" width=\"75pt\" height=\"37.5pt\" viewBox=\"0 0 100 50\">
<defs>
<clipPath id=\"clip0\"><rect x=\"0\" y=\"0\" width=\"60\" height=\"40\"/></clipPath>
<path id=\"{id}\" d=\"{outline}\"/>
</defs>
<rect width=\"100\" height=\"50\" fill=\"#fff\"/>
<rect x=\"10\" y=\"20\" width=\"30\" height=\"5\" fill=\"#ff0033\" shape-rendering=\"crispEdges\"/>
<g clip-path=\"url(#clip0)\">
<circle cx=\"12.5\" cy=\"8\" r=\"2.25\" fill=\"#000000\" fill-opacity=\"0.5\"/>
<path d=\"M1 2 3 4 5 6\" fill=\"none\" stroke=\"#000000\" stroke-width=\"1.5\" \
             stroke-linejoin=\"round\" stroke-dasharray=\"4 3\"/>
</g>
<g transform=\"translate(5 6) rotate(-90) scale({unit})\" fill=\"#000000\" role=\"img\" \
             aria-label=\"I\"><use xlink:href=\"#{id}\" x=\"0\"/></g>
</svg>
"
        );
        assert_eq!(text, expected);
    }
}
