use std::sync::LazyLock;

use tiny_skia::{Path, PathBuilder, Transform};
use ttf_parser::gpos::{PairAdjustment, PositioningSubtable};
use ttf_parser::{Face, GlyphId, OutlineBuilder};

/// Weight of the bundled font, Inter (SIL Open Font License, `fonts/OFL.txt`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Weight {
    /// Running text and labels.
    #[default]
    Regular,
    /// Titles.
    SemiBold,
}

static REGULAR: LazyLock<Face<'static>> =
    LazyLock::new(|| parse(include_bytes!("../fonts/Inter-Regular-subset.otf")));
static SEMI_BOLD: LazyLock<Face<'static>> =
    LazyLock::new(|| parse(include_bytes!("../fonts/Inter-SemiBold-subset.otf")));

fn parse(bytes: &'static [u8]) -> Face<'static> {
    Face::parse(bytes, 0).expect("the bundled font is a valid OpenType file")
}

fn face(weight: Weight) -> &'static Face<'static> {
    match weight {
        Weight::Regular => &REGULAR,
        Weight::SemiBold => &SEMI_BOLD,
    }
}

/// Width of a line of text at a font size, in the size's unit.
pub fn text_width(text: &str, size: f64, weight: Weight) -> f64 {
    let face = face(weight);
    let units: i64 = layout(face, text).map(|(_, advance)| advance).sum();
    units as f64 * size / f64::from(face.units_per_em())
}

/// Height of capital letters at a font size: labels are centred on it.
pub(crate) fn cap_height(size: f64) -> f64 {
    let face = face(Weight::Regular);
    let height = face.capital_height().unwrap_or(face.ascender());
    f64::from(height) * size / f64::from(face.units_per_em())
}

/// The outline of a line of text with its baseline from the origin to the right, y downwards.
pub(crate) fn outline(text: &str, size: f64, weight: Weight) -> Option<Path> {
    let face = face(weight);
    let scale = size as f32 / f32::from(face.units_per_em());
    let mut outline = Outline {
        path: PathBuilder::new(),
        scale,
        left: 0.0,
    };
    let mut pen = 0i64;
    for (glyph, advance) in layout(face, text) {
        outline.left = pen as f32 * scale;
        match glyph {
            Some(glyph) => {
                face.outline_glyph(glyph, &mut outline);
            }
            None if advance > 0 => missing_box(face, &mut outline),
            None => {}
        }
        pen += advance;
    }
    outline.path.finish()
}

/// A shape of the font, for files that define each one once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Glyph {
    /// The font's glyph of this number.
    Number(u16),
    /// The box of a character that the font does not have.
    Missing,
}

/// Units of the font in one em, in which [`glyphs`] and [`glyph_outline`] measure.
pub(crate) fn units_per_em(weight: Weight) -> f64 {
    f64::from(face(weight).units_per_em())
}

/// The glyphs of a line of text that are to be seen, each with its distance from the beginning.
pub(crate) fn glyphs(text: &str, weight: Weight) -> Vec<(Glyph, i64)> {
    let mut pen = 0;
    let placed = layout(face(weight), text).filter_map(|(glyph, advance)| {
        let at = pen;
        pen += advance;
        match glyph {
            Some(GlyphId(number)) => Some((Glyph::Number(number), at)),
            None => (advance > 0).then_some((Glyph::Missing, at)),
        }
    });
    placed.collect()
}

/// The outline of a glyph, y downwards; `None` for blanks.
pub(crate) fn glyph_outline(glyph: Glyph, weight: Weight) -> Option<Path> {
    let mut outline = Outline {
        path: PathBuilder::new(),
        scale: 1.0,
        left: 0.0,
    };
    match glyph {
        Glyph::Number(number) => {
            face(weight).outline_glyph(GlyphId(number), &mut outline);
        }
        Glyph::Missing => missing_box(face(weight), &mut outline),
    }
    outline.path.finish()
}

/// Cuts text into lines no wider than `width`, at spaces; a longer word keeps its own line. Line
/// breaks in the text stay.
pub fn wrap(text: &str, size: f64, weight: Weight, width: f64) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split(' ') {
            let candidate = if line.is_empty() {
                word.to_string()
            } else {
                format!("{line} {word}")
            };
            if line.is_empty() || text_width(&candidate, size, weight) <= width {
                line = candidate;
            } else {
                lines.push(std::mem::replace(&mut line, word.to_string()));
            }
        }
        lines.push(line);
    }
    lines
}

/// The text, or as much of its beginning as fits `width` with an ellipsis after it. The ellipsis
/// always stays, and characters the font does not have count as its box.
///
/// ```
/// use viz::{Weight, shortened};
/// assert_eq!(shortened("Trouser", 12.0, Weight::Regular, 80.0), "Trouser");
/// assert_eq!(shortened("Trouser or skirt", 12.0, Weight::Regular, 80.0), "Trouser or s…");
/// ```
pub fn shortened(text: &str, size: f64, weight: Weight, width: f64) -> String {
    if text_width(text, size, weight) <= width {
        return text.to_string();
    }
    let face = face(weight);
    let unit = size / f64::from(face.units_per_em());
    let room = width - text_width("…", size, weight);
    let mut pen = 0.0;
    let kept = layout(face, text)
        .take_while(|(_, advance)| {
            pen += *advance as f64 * unit;
            pen <= room
        })
        .count();
    let beginning: String = text.chars().take(kept).collect();
    format!("{}…", beginning.trim_end())
}

/// Whether the font has a glyph for every character that is to be seen.
pub(crate) fn has_all(text: &str, weight: Weight) -> bool {
    text.chars()
        .all(|c| is_invisible(c) || face(weight).glyph_index(c).is_some())
}

/// Glyphs, where the font has them, with their advances in font units, pair kerning included.
fn layout<'a>(
    face: &'a Face<'static>,
    text: &'a str,
) -> impl Iterator<Item = (Option<GlyphId>, i64)> + 'a {
    let mut characters = text.chars().peekable();
    std::iter::from_fn(move || {
        let character = characters.next()?;
        let Some(glyph) = face.glyph_index(character) else {
            let box_width = i64::from(face.units_per_em()) * 6 / 10;
            let advance = if is_invisible(character) {
                0
            } else {
                box_width
            };
            return Some((None, advance));
        };
        let mut advance = i64::from(face.glyph_hor_advance(glyph).unwrap_or(0));
        if let Some(next) = characters.peek().and_then(|&next| face.glyph_index(next)) {
            advance += i64::from(kerning(face, glyph, next));
        }
        Some((Some(glyph), advance))
    })
}

/// Joiners, directional marks and variation selectors, which are not there to be seen.
fn is_invisible(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{fe00}'..='\u{fe0f}')
}

/// An empty box as high as capitals: a character that the font does not have (its own sign for
/// them is blank).
fn missing_box(face: &Face<'_>, outline: &mut Outline) {
    let em = f32::from(face.units_per_em());
    let top = f32::from(face.capital_height().unwrap_or(face.ascender()));
    let (left, right, line) = (0.08 * em, 0.52 * em, 0.06 * em);
    // The inner side runs the other way round, which leaves it empty.
    for corners in [
        [(left, 0.0), (right, 0.0), (right, top), (left, top)],
        [
            (left + line, line),
            (left + line, top - line),
            (right - line, top - line),
            (right - line, line),
        ],
    ] {
        outline.move_to(corners[0].0, corners[0].1);
        for (x, y) in &corners[1..] {
            outline.line_to(*x, *y);
        }
        outline.close();
    }
}

/// The pair adjustment of the GPOS table: the first subtable that covers the left glyph decides.
fn kerning(face: &Face<'_>, left: GlyphId, right: GlyphId) -> i16 {
    let Some(positioning) = face.tables().gpos else {
        return 0;
    };
    for lookup in positioning.lookups {
        for subtable in lookup.subtables.into_iter::<PositioningSubtable<'_>>() {
            let PositioningSubtable::Pair(pair) = subtable else {
                continue;
            };
            match pair {
                PairAdjustment::Format1 { coverage, sets } => {
                    let adjustment = coverage
                        .get(left)
                        .and_then(|index| sets.get(index))
                        .and_then(|set| set.get(right));
                    if let Some((first, _)) = adjustment {
                        return first.x_advance;
                    }
                }
                PairAdjustment::Format2 {
                    coverage,
                    classes,
                    matrix,
                } => {
                    if coverage.get(left).is_some() {
                        let classes = (classes.0.get(left), classes.1.get(right));
                        return matrix.get(classes).map_or(0, |(first, _)| first.x_advance);
                    }
                }
            }
        }
    }
    0
}

struct Outline {
    path: PathBuilder,
    scale: f32,
    left: f32,
}

impl Outline {
    fn at(&self, x: f32, y: f32) -> (f32, f32) {
        (self.left + x * self.scale, -y * self.scale)
    }
}

impl OutlineBuilder for Outline {
    fn move_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.at(x, y);
        self.path.move_to(x, y);
    }
    fn line_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.at(x, y);
        self.path.line_to(x, y);
    }
    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let (x1, y1) = self.at(x1, y1);
        let (x, y) = self.at(x, y);
        self.path.quad_to(x1, y1, x, y);
    }
    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let (x1, y1) = self.at(x1, y1);
        let (x2, y2) = self.at(x2, y2);
        let (x, y) = self.at(x, y);
        self.path.cubic_to(x1, y1, x2, y2, x, y);
    }
    fn close(&mut self) {
        self.path.close();
    }
}

/// The transform that puts an outline's origin at (x, y), turned a quarter to the left if asked.
pub(crate) fn placement(x: f64, y: f64, turned: bool) -> Transform {
    let (x, y) = (x as f32, y as f32);
    if turned {
        Transform::from_row(0.0, -1.0, 1.0, 0.0, x, y)
    } else {
        Transform::from_translate(x, y)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_that_figures_use_has_a_glyph() {
        let used = "0123456789 ABCXYZ abcxyz .,;:!?()[]{}+−-–—…|/%‖·×±≤≥≈≠→←↑↓∞√∂∑ \
                    αβγδεθλμνπρσςτφχψωΓΔΘΛΣΦΨΩ ₀₁₂₃₄₅₆₇₈₉₋₊ ⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺ ℓ½°′″•●○■□▲△◆◇★✓✗éüñ \u{2009}\u{00a0}";
        for weight in [Weight::Regular, Weight::SemiBold] {
            for character in used.chars() {
                assert!(
                    face(weight).glyph_index(character).is_some(),
                    "{character:?} in {weight:?}"
                );
            }
        }
    }

    #[test]
    fn a_missing_character_is_a_box_and_a_joiner_is_nothing() {
        assert!(!has_all("東", Weight::Regular) && has_all("a\u{200d}b", Weight::Regular));
        let bounds = outline("東", 100.0, Weight::Regular).unwrap().bounds();
        assert!(bounds.width() > 40.0 && bounds.height() > 70.0);
        // To a whole unit of the font.
        assert!((text_width("東", 100.0, Weight::Regular) - 60.0).abs() < 0.05);
        assert_eq!(text_width("\u{200d}\u{fe0f}", 100.0, Weight::Regular), 0.0);
        assert!(outline("\u{200d}", 100.0, Weight::Regular).is_none());
    }

    #[test]
    fn shortened_text_fits_and_begins_as_the_whole() {
        for text in [
            "Ankle boot, left",
            "東京都東京都東京都",
            "",
            "…",
            "wwwwwwwwwwwwwwww",
        ] {
            for width in [12.0, 30.0, 77.0, 1e4] {
                let short = shortened(text, 12.0, Weight::SemiBold, width);
                assert!(text_width(&short, 12.0, Weight::SemiBold) <= width);
                if short != text {
                    assert!(text.starts_with(short.strip_suffix('…').unwrap()));
                    assert!(text_width(text, 12.0, Weight::SemiBold) > width);
                }
            }
        }
    }

    #[test]
    fn kerning_narrows_the_pairs_that_need_it() {
        let pair = text_width("AV", 100.0, Weight::Regular);
        let apart =
            text_width("A", 100.0, Weight::Regular) + text_width("V", 100.0, Weight::Regular);
        assert!(pair < apart - 1.0, "{pair} against {apart}");
        let pair = text_width("HH", 100.0, Weight::Regular);
        assert!((pair - 2.0 * text_width("H", 100.0, Weight::Regular)).abs() < 1e-9);
    }

    #[test]
    fn width_is_proportional_to_size_and_covers_the_outline() {
        let text = "Reconstruction, nats per image";
        let width = text_width(text, 12.0, Weight::Regular);
        assert!((text_width(text, 24.0, Weight::Regular) - 2.0 * width).abs() < 1e-9);
        let bounds = outline(text, 12.0, Weight::Regular).unwrap().bounds();
        assert!(bounds.left() >= 0.0 && f64::from(bounds.right()) <= width + 0.5);
        assert!(f64::from(bounds.right()) > 0.95 * width);
    }

    #[test]
    fn wrapped_lines_fit_and_lose_no_word() {
        let text = "Codes of the test images, coloured by class; the circles are the prior's one \
                    and two standard deviations.\nSecond paragraph";
        let lines = wrap(text, 11.0, Weight::Regular, 150.0);
        assert!(lines.len() > 3);
        assert!(
            lines
                .iter()
                .all(|l| text_width(l, 11.0, Weight::Regular) <= 150.0)
        );
        assert_eq!(lines.join(" "), text.replace('\n', " "));
        assert_eq!(
            wrap("incompressible", 11.0, Weight::Regular, 10.0),
            ["incompressible"]
        );
    }
}
