//! The canvas as a backend of plotters, which draws the axes on it.

use std::convert::Infallible;

use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind,
    FontStyle, FontTransform,
};

use crate::Rgb;
use crate::canvas::{Across, Along, Canvas, Pen, TextLook, polygon_path};
use crate::font::{Weight, cap_height, text_width};

/// Plotters counts in whole pixels of the canvas; lines through pixel centres stay crisp.
pub(crate) struct PlottersCanvas<'a>(pub(crate) &'a mut Canvas);

type Drawn = Result<(), DrawingErrorKind<Infallible>>;

impl PlottersCanvas<'_> {
    fn unit(&self, (x, y): BackendCoord) -> [f64; 2] {
        let scale = self.0.scale();
        [(f64::from(x) + 0.5) / scale, (f64::from(y) + 0.5) / scale]
    }

    fn pen(&self, style: &impl BackendStyle) -> Pen {
        let (colour, alpha) = rgb(style.color());
        Pen {
            colour,
            alpha,
            width: f64::from(style.stroke_width()) / self.0.scale(),
            dash: None,
        }
    }
}

impl DrawingBackend for PlottersCanvas<'_> {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        self.0.pixel_size()
    }

    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }

    fn present(&mut self) -> Drawn {
        Ok(())
    }

    fn draw_pixel(&mut self, (x, y): BackendCoord, color: BackendColor) -> Drawn {
        let scale = self.0.scale();
        let (colour, alpha) = rgb(color);
        let side = 1.0 / scale;
        self.0.rectangle(
            f64::from(x) / scale,
            f64::from(y) / scale,
            side,
            side,
            colour,
            alpha,
        );
        Ok(())
    }

    fn draw_line<S: BackendStyle>(
        &mut self,
        from: BackendCoord,
        to: BackendCoord,
        style: &S,
    ) -> Drawn {
        let pen = self.pen(style);
        if from.0 == to.0 || from.1 == to.1 {
            // A rectangle of whole pixels: no antialiased fringe, and the same
            // thickness everywhere.
            let thickness = style.stroke_width() as i32;
            let side = |a: i32, b: i32| {
                let low = a.min(b) - thickness / 2;
                (f64::from(low), f64::from((a - b).abs() + thickness))
            };
            let ((left, width), (top, height)) = (side(from.0, to.0), side(from.1, to.1));
            let scale = self.0.scale();
            self.0.rectangle(
                left / scale,
                top / scale,
                width / scale,
                height / scale,
                pen.colour,
                pen.alpha,
            );
        } else {
            self.0.line(self.unit(from), self.unit(to), pen);
        }
        Ok(())
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Drawn {
        let points: Vec<BackendCoord> = path.into_iter().collect();
        for ends in points.windows(2) {
            self.draw_line(ends[0], ends[1], style)?;
        }
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        vert: I,
        style: &S,
    ) -> Drawn {
        let points: Vec<[f64; 2]> = vert.into_iter().map(|point| self.unit(point)).collect();
        let (colour, alpha) = rgb(style.color());
        if let Some(path) = polygon_path(&points, true) {
            self.0.fill(&path, colour, alpha);
        }
        Ok(())
    }

    fn draw_text<S: BackendTextStyle>(
        &mut self,
        text: &str,
        style: &S,
        pos: BackendCoord,
    ) -> Drawn {
        let (colour, _) = rgb(style.color());
        let scale = self.0.scale();
        let size = style.size() / scale;
        let turned = !matches!(style.transform(), FontTransform::None);
        let look = TextLook {
            size,
            weight: weight(style.style()),
            colour,
            halo: 0.0,
            turned,
        };
        let across = match style.anchor().h_pos {
            HPos::Left => Across::Left,
            HPos::Center => Across::Centre,
            HPos::Right => Across::Right,
        };
        let along = match style.anchor().v_pos {
            VPos::Top => Along::Top,
            VPos::Center => Along::Middle,
            VPos::Bottom => Along::Baseline,
        };
        let mut at = [f64::from(pos.0) / scale, f64::from(pos.1) / scale];
        if matches!(style.transform(), FontTransform::Rotate90) {
            // Labels of the horizontal axis that are too long to lie: plotters
            // gives the middle of their upper edge, where a turned one ends.
            self.0.text(text, at, Across::Right, Along::Middle, look);
            return Ok(());
        }
        if along == Along::Baseline {
            // The lowest line of the area is the descenders', not the baseline.
            at[1] -= 0.25 * size;
        }
        self.0.text(text, at, across, along, look);
        Ok(())
    }

    fn estimate_text_size<S: BackendTextStyle>(
        &self,
        text: &str,
        style: &S,
    ) -> Result<(u32, u32), DrawingErrorKind<Infallible>> {
        let width = text_width(text, style.size(), weight(style.style()));
        Ok((width.ceil() as u32, cap_height(style.size()).ceil() as u32))
    }
}

fn weight(style: FontStyle) -> Weight {
    match style {
        FontStyle::Bold => Weight::SemiBold,
        _ => Weight::Regular,
    }
}

fn rgb(colour: BackendColor) -> (Rgb, f64) {
    let (r, g, b) = colour.rgb;
    (Rgb(r, g, b), colour.alpha)
}
