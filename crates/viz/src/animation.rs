use std::path::Path;

use crate::palette::Palette;
use crate::png_file::png_dimension;
use crate::sidecar::{Sidecar, texts, write_sidecar};
use crate::{RgbImage, VizError, write_atomically};

/// Frames of one size to be shown one after the other, written as an APNG file.
///
/// Viewers without animation show the first frame. Each frame stores only the rectangle that
/// changed.
///
/// ```
/// use viz::{Animation, Rgb, RgbImage, decode_apng};
/// let frames = [RgbImage::new(4, 4, Rgb::WHITE), RgbImage::new(4, 4, Rgb::BLACK)];
/// let bytes = Animation::new(&frames, 100).encode(&[])?;
/// let back = decode_apng(&bytes)?;
/// assert_eq!(back.images, frames);
/// assert_eq!(back.milliseconds, [100, 2000]);
/// # Ok::<(), viz::VizError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Animation<'a> {
    /// The frames.
    pub frames: &'a [RgbImage],
    /// How long each frame is shown; the last value counts for all further frames.
    pub milliseconds: Vec<u16>,
    /// How long the last frame is shown.
    pub hold: u16,
    /// How often the animation is played, 0 for ever.
    pub plays: u32,
    /// How colours are stored.
    pub colours: AnimationColours,
    /// Size of the file that is not to be exceeded, such as a code host's; `None` for any.
    ///
    /// What is too large is encoded with 128 or 64 colours, then with every second, fourth or
    /// eighth frame, which are shown as long as those that they stand for; the first and the last
    /// frame always stay.
    pub most_bytes: Option<usize>,
}

/// How an animation stores its colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum AnimationColours {
    /// A palette: exact up to 255 colours, else the nearest of 255. A third of the size or less.
    #[default]
    Indexed,
    /// All colours exact.
    True,
}

impl<'a> Animation<'a> {
    /// Frames shown equally long for ever, the last one for two seconds.
    pub fn new(frames: &'a [RgbImage], milliseconds: u16) -> Animation<'a> {
        Animation {
            frames,
            milliseconds: vec![milliseconds],
            hold: 2000,
            plays: 0,
            colours: AnimationColours::default(),
            most_bytes: None,
        }
    }

    /// The bytes of the APNG file with texts as in [`encode_png`](crate::encode_png); the same
    /// animation gives the same bytes.
    ///
    /// # Errors
    ///
    /// [`VizError::Shape`] for no frames, frames of different sizes or a size of the file that
    /// cannot be kept; [`VizError::Encode`] for empty frames.
    pub fn encode(&self, texts: &[(&str, &str)]) -> Result<Vec<u8>, VizError> {
        let Some(most) = self.most_bytes else {
            let colours = match self.colours {
                AnimationColours::Indexed => Some(255),
                AnimationColours::True => None,
            };
            return self.encode_every(1, colours, png::Compression::Balanced, texts);
        };
        let mut least = usize::MAX;
        for stride in [1, 2, 4, 8] {
            for colours in [255, 128, 64] {
                let (colours, effort) = (Some(colours), png::Compression::High);
                let bytes = self.encode_every(stride, colours, effort, texts)?;
                if bytes.len() <= most {
                    return Ok(bytes);
                }
                least = least.min(bytes.len());
            }
        }
        Err(VizError::shape(
            "bytes of an animation",
            format!("{least} with the fewest colours and frames"),
            format!("at most {most}; give smaller or fewer frames"),
        ))
    }

    /// The file of every frame whose distance to the last is a multiple of `stride`, and the first.
    fn encode_every(
        &self,
        stride: usize,
        colours: Option<usize>,
        compression: png::Compression,
        texts: &[(&str, &str)],
    ) -> Result<Vec<u8>, VizError> {
        let (width, height) = self.size()?;
        let last = self.frames.len() - 1;
        let kept: Vec<usize> = (0..=last)
            .filter(|at| *at == 0 || (last - at).is_multiple_of(stride))
            .collect();
        let failed = |error: png::EncodingError| VizError::Encode {
            reason: error.to_string(),
        };
        let count = u32::try_from(kept.len()).map_err(|_| {
            VizError::shape(
                "frames of an animation",
                self.frames.len(),
                "fewer than 2³²",
            )
        })?;
        let coder = FrameCoder {
            palette: colours.map(|size| Palette::of(kept.iter().map(|&at| &self.frames[at]), size)),
        };
        let mut bytes = Vec::new();
        let mut encoder =
            png::Encoder::new(&mut bytes, png_dimension(width)?, png_dimension(height)?);
        encoder.set_depth(png::BitDepth::Eight);
        match &coder.palette {
            Some(palette) => {
                encoder.set_color(png::ColorType::Indexed);
                let colours = palette.colours.iter().flat_map(|c| [c.0, c.1, c.2]);
                // Index 0 is the transparent one: pixels that did not change.
                encoder.set_palette([0, 0, 0].into_iter().chain(colours).collect::<Vec<u8>>());
                encoder.set_trns(vec![0u8]);
                // Indices have no order that a filter could use.
                encoder.set_filter(png::Filter::NoFilter);
            }
            None => encoder.set_color(png::ColorType::Rgb),
        }
        encoder.set_compression(compression);
        encoder.set_animated(count, self.plays).map_err(failed)?;
        for (keyword, value) in texts {
            encoder
                .add_itxt_chunk(keyword.to_string(), value.to_string())
                .map_err(failed)?;
        }
        let mut writer = encoder.write_header().map_err(failed)?;
        let mut shown: Option<Vec<u8>> = None;
        for (index, &at) in kept.iter().enumerate() {
            let next = coder.samples(&self.frames[at]);
            let until = kept.get(index + 1).copied().unwrap_or(at + 1);
            let delay = (at..until).fold(0u16, |sum, frame| sum.saturating_add(self.delay(frame)));
            let (region, data) = match &shown {
                None => (Region::whole(width, height), next.clone()),
                Some(shown) => coder.difference(shown, &next, width, height),
            };
            writer.reset_frame_position().map_err(failed)?;
            writer
                .set_frame_dimension(png_dimension(region.width)?, png_dimension(region.height)?)
                .map_err(failed)?;
            writer
                .set_frame_position(png_dimension(region.left)?, png_dimension(region.top)?)
                .map_err(failed)?;
            writer
                .set_blend_op(if index > 0 && coder.palette.is_some() {
                    png::BlendOp::Over
                } else {
                    png::BlendOp::Source
                })
                .map_err(failed)?;
            writer
                .set_dispose_op(png::DisposeOp::None)
                .map_err(failed)?;
            writer.set_frame_delay(delay, 1000).map_err(failed)?;
            writer.write_image_data(&data).map_err(failed)?;
            shown = Some(next);
        }
        writer.finish().map_err(failed)?;
        Ok(bytes)
    }

    /// Writes the animation with its data beside it, as [`write_figure`](crate::write_figure) does
    /// for a still one.
    ///
    /// # Errors
    ///
    /// As [`Animation::encode`] and [`write_atomically`](crate::write_atomically).
    pub fn write(&self, path: &Path, sidecar: &Sidecar) -> Result<(), VizError> {
        let (width, height) = self.size()?;
        let bytes = self.encode(&texts(sidecar))?;
        write_sidecar(path, width, height, sidecar)?;
        write_atomically(path, &bytes)
    }

    fn size(&self) -> Result<(usize, usize), VizError> {
        let size = |frame: &RgbImage| (frame.width(), frame.height());
        let Some(first) = self.frames.first().map(size) else {
            return Err(VizError::shape("frames of an animation", 0, "at least one"));
        };
        if let Some(other) = self.frames.iter().map(size).find(|other| *other != first) {
            return Err(VizError::shape(
                "size of a frame",
                format!("{} × {}", other.0, other.1),
                format!("{} × {}, as the first one", first.0, first.1),
            ));
        }
        Ok(first)
    }

    fn delay(&self, index: usize) -> u16 {
        if index + 1 == self.frames.len() {
            return self.hold;
        }
        let own = self.milliseconds.get(index);
        own.or(self.milliseconds.last()).copied().unwrap_or(100)
    }
}

/// A rectangle of the picture.
struct Region {
    left: usize,
    top: usize,
    width: usize,
    height: usize,
}

impl Region {
    fn whole(width: usize, height: usize) -> Region {
        Region {
            left: 0,
            top: 0,
            width,
            height,
        }
    }
}

struct FrameCoder {
    palette: Option<Palette>,
}

impl FrameCoder {
    fn bytes_per_pixel(&self) -> usize {
        if self.palette.is_some() { 1 } else { 3 }
    }

    fn samples(&self, frame: &RgbImage) -> Vec<u8> {
        match &self.palette {
            Some(palette) => {
                let mut indices = palette.indices(frame);
                for index in &mut indices {
                    *index += 1;
                }
                indices
            }
            None => frame.pixels().to_vec(),
        }
    }

    /// The smallest region that holds all changes, with transparent pixels where the palette has
    /// one and nothing changed; one pixel when nothing did.
    fn difference(
        &self,
        shown: &[u8],
        next: &[u8],
        width: usize,
        height: usize,
    ) -> (Region, Vec<u8>) {
        let bytes = self.bytes_per_pixel();
        let pixel = |x: usize, y: usize| (y * width + x) * bytes..(y * width + x + 1) * bytes;
        let (mut left, mut right, mut top, mut bottom) = (width, 0, height, 0);
        for y in 0..height {
            let row = y * width * bytes..(y + 1) * width * bytes;
            if shown[row.clone()] == next[row] {
                continue;
            }
            top = top.min(y);
            bottom = y + 1;
            for x in 0..width {
                if shown[pixel(x, y)] != next[pixel(x, y)] {
                    left = left.min(x);
                    right = right.max(x + 1);
                }
            }
        }
        if right == 0 {
            (left, right, top, bottom) = (0, 1, 0, 1);
        }
        let mut data = Vec::with_capacity((right - left) * (bottom - top) * bytes);
        for y in top..bottom {
            for x in left..right {
                let at = pixel(x, y);
                if self.palette.is_some() && shown[at.clone()] == next[at.clone()] {
                    data.push(0);
                } else {
                    data.extend_from_slice(&next[at]);
                }
            }
        }
        let region = Region {
            left,
            top,
            width: right - left,
            height: bottom - top,
        };
        (region, data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Rgb, decode_apng};

    /// A square that wanders over a coloured ground.
    fn wandering(count: usize, shades: usize) -> Vec<RgbImage> {
        (0..count)
            .map(|i| {
                let mut frame = RgbImage::new(40, 30, Rgb(250, 251, 252));
                for y in 0..30 {
                    for x in 0..shades.min(40) {
                        frame.set(x, y, Rgb((x * 6) as u8, (y * 8) as u8, 99));
                    }
                }
                for y in 0..6 {
                    for x in 0..6 {
                        frame.set(3 * i + x, 2 * i + y, Rgb(189, 31, 1));
                    }
                }
                frame
            })
            .collect()
    }

    #[test]
    fn frames_delays_and_plays_come_back() {
        // The third equals the second: a frame without any change.
        let mut frames = wandering(6, 3);
        frames[2] = frames[1].clone();
        for colours in [AnimationColours::Indexed, AnimationColours::True] {
            let animation = Animation {
                milliseconds: vec![50, 80],
                hold: 1500,
                plays: 3,
                colours,
                ..Animation::new(&frames, 0)
            };
            let bytes = animation.encode(&[("Title", "wandering σ")]).unwrap();
            assert_eq!(
                bytes,
                animation.encode(&[("Title", "wandering σ")]).unwrap()
            );
            let back = decode_apng(&bytes).unwrap();
            assert_eq!(back.images, frames);
            assert_eq!(back.milliseconds, [50, 80, 80, 80, 80, 1500]);
            assert_eq!(back.plays, 3);
        }
    }

    #[test]
    fn true_colours_are_exact_and_a_palette_is_near_and_smaller() {
        let frames = wandering(6, 36);
        let size = |colours| {
            let animation = Animation {
                colours,
                ..Animation::new(&frames, 40)
            };
            animation.encode(&[]).unwrap()
        };
        let exact = size(AnimationColours::True);
        assert_eq!(decode_apng(&exact).unwrap().images, frames);
        let indexed = size(AnimationColours::Indexed);
        for (found, wanted) in decode_apng(&indexed).unwrap().images.iter().zip(&frames) {
            for (a, b) in found.pixels().iter().zip(wanted.pixels()) {
                assert!(a.abs_diff(*b) < 32, "{a} for {b}");
            }
            assert_eq!(found.get(39, 29), wanted.get(39, 29));
        }
    }

    #[test]
    fn a_file_keeps_its_size_by_fewer_colours_then_fewer_frames() {
        let frames = wandering(12, 40);
        let of_size = |most_bytes| Animation {
            most_bytes,
            milliseconds: vec![30],
            hold: 900,
            ..Animation::new(&frames, 0)
        };
        let any = of_size(None).encode(&[]).unwrap();
        let large = of_size(Some(usize::MAX)).encode(&[]).unwrap();
        assert_eq!(decode_apng(&large).unwrap(), decode_apng(&any).unwrap());
        let mut counts = Vec::new();
        let mut most = large.len();
        while let Ok(bytes) = of_size(Some(most - 1)).encode(&[]) {
            assert!(bytes.len() < most && bytes.windows(4).any(|name| name == b"acTL"));
            let back = decode_apng(&bytes).unwrap();
            // The whole takes as long, and begins and ends with the same square.
            let time: u32 = back.milliseconds.iter().map(|&ms| u32::from(ms)).sum();
            assert_eq!(time, 11 * 30 + 900);
            let red = |frame: &RgbImage, [x, y]: [usize; 2]| {
                let Rgb(r, g, b) = frame.get(x, y);
                r > 150 && g < 70 && b < 50
            };
            assert!(red(&back.images[0], [1, 1]));
            assert!(red(back.images.last().unwrap(), [34, 23]));
            counts.push(back.images.len());
            most = bytes.len();
        }
        assert!(
            counts.is_sorted_by(|a, b| a >= b) && counts[0] == 12,
            "{counts:?}"
        );
        assert_eq!(counts.last(), Some(&3));
        let error = of_size(Some(10)).encode(&[]).unwrap_err().to_string();
        assert!(error.starts_with("bytes of an animation: found ") && error.contains("at most 10"));
    }

    #[test]
    fn one_frame_is_an_animation_too_and_a_still_is_not() {
        let frames = wandering(1, 2);
        let bytes = Animation::new(&frames, 40).encode(&[]).unwrap();
        assert_eq!(decode_apng(&bytes).unwrap().images, frames);
        let still = crate::encode_png(&frames[0], &[]).unwrap();
        assert!(matches!(decode_apng(&still), Err(VizError::Decode { .. })));
    }

    #[test]
    fn no_frames_and_unequal_frames_are_refused() {
        assert!(matches!(
            Animation::new(&[], 40).encode(&[]),
            Err(VizError::Shape { .. })
        ));
        let frames = [
            RgbImage::new(4, 4, Rgb::WHITE),
            RgbImage::new(4, 5, Rgb::WHITE),
        ];
        let error = Animation::new(&frames, 40).encode(&[]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "size of a frame: found 4 × 5, expected 4 × 4, as the first one"
        );
    }

    #[test]
    fn a_written_animation_has_its_data_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let frames = wandering(2, 2);
        let path = folder.path().join("walk.png");
        Animation::new(&frames, 40)
            .write(&path, &Sidecar::default())
            .unwrap();
        assert_eq!(
            decode_apng(&std::fs::read(&path).unwrap()).unwrap().images,
            frames
        );
        assert!(folder.path().join("walk.json").exists());
    }
}
