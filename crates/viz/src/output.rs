//! The files that a picture is written to.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::canvas::Canvas;
use crate::figure_scale::FigureScale;
use crate::pdf::pdf;
use crate::png_file::encode;
use crate::sidecar::{texts, write_sidecar};
use crate::svg::svg;
use crate::{Figure, GrayImage, Image, ImageRef, RgbImage, Sidecar, VizError, write_atomically};

/// A kind of file.
///
/// ```
/// use viz::Format;
/// assert_eq!("svg".parse::<Format>()?, Format::Svg);
/// let error = "gif".parse::<Format>().unwrap_err();
/// assert_eq!(error.to_string(), "format of a figure: found \"gif\", expected png, svg or pdf");
/// # Ok::<(), viz::VizError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// Pixels.
    Png,
    /// Paths for pages and drawing programs, SVG 1.1.
    Svg,
    /// Paths for typesetting, PDF 1.7.
    Pdf,
}

impl Format {
    /// Every format.
    pub const ALL: [Format; 3] = [Format::Png, Format::Svg, Format::Pdf];

    /// The ending of its files' names, which is also its name.
    pub fn extension(self) -> &'static str {
        match self {
            Format::Png => "png",
            Format::Svg => "svg",
            Format::Pdf => "pdf",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.extension())
    }
}

impl FromStr for Format {
    type Err = VizError;

    fn from_str(text: &str) -> Result<Format, VizError> {
        Format::ALL
            .into_iter()
            .find(|format| format.extension() == text)
            .ok_or_else(|| {
                VizError::shape("format of a figure", format!("{text:?}"), "png, svg or pdf")
            })
    }
}

/// How figures are written.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct FigureOutput {
    /// Formats beside PNG, which is always written: it is what pages show.
    pub formats: Vec<Format>,
    /// Leaves title and caption away, where the surrounding text says them.
    pub bare: bool,
    /// What the figure is sized for.
    pub scale: FigureScale,
}

/// What can be written: a figure, or an image without axes and words such as a montage.
#[derive(Clone, Copy, Debug)]
pub enum Picture<'a> {
    /// Drawn for each format.
    Figure(&'a Figure),
    /// The same pixels in each format; in SVG and PDF they are rectangles with sharp edges, two to
    /// a CSS pixel. It has neither title nor caption, and one size.
    Image(ImageRef<'a>),
}

impl Picture<'_> {
    /// The bytes of a file of the picture; the same picture gives the same bytes.
    ///
    /// The sidecar's description is stored in the file, and in SVG and PDF also the figure's title.
    ///
    /// # Errors
    ///
    /// As [`encode_png`](crate::encode_png).
    pub fn encode(
        &self,
        format: Format,
        sidecar: &Sidecar,
        output: &FigureOutput,
    ) -> Result<Vec<u8>, VizError> {
        self.drawn(output).encode(format, sidecar)
    }

    fn drawn(&self, output: &FigureOutput) -> Drawn<'_> {
        match *self {
            Picture::Figure(figure) => {
                let presented = figure.presented(output.bare, output.scale);
                Drawn {
                    image: None,
                    canvas: presented.figure.draw(),
                    title: &figure.title,
                    points: presented.points,
                    pixels_per_metre: presented.pixels_per_metre,
                }
            }
            Picture::Image(image) => {
                let [width, height] = [image.width(), image.height()].map(|side| side as f64);
                let mut canvas = Canvas::new(0.5 * width, 0.5 * height, 2.0);
                canvas.image(image, 0.0, 0.0, 0.5 * width, 0.5 * height, 1.0);
                Drawn {
                    image: Some(image),
                    canvas,
                    title: "",
                    points: FigureScale::Screen.points(),
                    pixels_per_metre: None,
                }
            }
        }
    }
}

/// A picture as it was drawn for one output.
struct Drawn<'a> {
    /// Its pixels, if it was made of them.
    image: Option<ImageRef<'a>>,
    canvas: Canvas,
    title: &'a str,
    points: f64,
    pixels_per_metre: Option<u32>,
}

impl Drawn<'_> {
    fn pixel_size(&self) -> [usize; 2] {
        let (width, height) = self.canvas.pixel_size();
        self.image
            .map_or([width as usize, height as usize], |image| {
                [image.width(), image.height()]
            })
    }

    fn encode(&self, format: Format, sidecar: &Sidecar) -> Result<Vec<u8>, VizError> {
        let description = &sidecar.description;
        match (format, self.image) {
            (Format::Png, Some(image)) => encode(image, &texts(sidecar), None),
            (Format::Png, None) => {
                let image = self.canvas.to_image();
                encode((&image).into(), &texts(sidecar), self.pixels_per_metre)
            }
            (Format::Svg, _) => svg(&self.canvas, self.title, description, self.points),
            (Format::Pdf, _) => pdf(&self.canvas, self.title, description, self.points),
        }
    }
}

/// Writes a picture as PNG to `path` (whose name ends in `.png`), in every further format of `output` to the same name with
/// the format's ending, and its data to the same name ending in `.json`; each atomically and with
/// the same bytes for the same input. Returns the files of the picture, the PNG first.
///
/// The JSON goes first, so that a figure is never without its data, and the PNG last.
///
/// # Errors
///
/// As [`Picture::encode`] and [`write_atomically`].
///
/// ```
/// use viz::{Figure, FigureOutput, FigureScale, Format, Plot, Sidecar, write_figure_as};
/// # let folder = tempfile::tempdir()?;
/// let figure = Figure { title: "Nothing".into(), ..Figure::of(Plot::default()) };
/// let output = FigureOutput {
///     formats: vec![Format::Svg, Format::Pdf],
///     bare: true,
///     scale: FigureScale::Paper,
/// };
/// let path = folder.path().join("nothing.png");
/// let files = write_figure_as(&path, &figure, &Sidecar::default(), &output)?;
/// assert_eq!(files, ["png", "svg", "pdf"].map(|ending| path.with_extension(ending)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write_figure_as<'a>(
    path: &Path,
    picture: impl Into<Picture<'a>>,
    sidecar: &Sidecar,
    output: &FigureOutput,
) -> Result<Vec<PathBuf>, VizError> {
    let picture = picture.into();
    let drawn = picture.drawn(output);
    let mut formats = output.formats.clone();
    formats.push(Format::Png);
    formats.sort_unstable();
    formats.dedup();
    let encoded = formats.into_iter().map(|format| {
        let file = path.with_extension(format.extension());
        Ok((file, drawn.encode(format, sidecar)?))
    });
    let files = encoded.collect::<Result<Vec<_>, VizError>>()?;
    let [width, height] = drawn.pixel_size();
    write_sidecar(path, width, height, sidecar)?;
    for (file, bytes) in files.iter().rev() {
        write_atomically(file, bytes)?;
    }
    Ok(files.into_iter().map(|(file, _)| file).collect())
}

/// Writes a picture as [`write_figure_as`] does, as PNG alone.
///
/// # Errors
///
/// As [`write_figure_as`].
pub fn write_figure<'a>(
    path: &Path,
    picture: impl Into<Picture<'a>>,
    sidecar: &Sidecar,
) -> Result<(), VizError> {
    write_figure_as(path, picture, sidecar, &FigureOutput::default()).map(drop)
}

impl<'a> From<&'a Figure> for Picture<'a> {
    fn from(figure: &'a Figure) -> Picture<'a> {
        Picture::Figure(figure)
    }
}

impl<'a> From<ImageRef<'a>> for Picture<'a> {
    fn from(image: ImageRef<'a>) -> Picture<'a> {
        Picture::Image(image)
    }
}

impl<'a> From<&'a Image> for Picture<'a> {
    fn from(image: &'a Image) -> Picture<'a> {
        Picture::Image(image.into())
    }
}

impl<'a> From<&'a GrayImage> for Picture<'a> {
    fn from(image: &'a GrayImage) -> Picture<'a> {
        Picture::Image(image.into())
    }
}

impl<'a> From<&'a RgbImage> for Picture<'a> {
    fn from(image: &'a RgbImage) -> Picture<'a> {
        Picture::Image(image.into())
    }
}
