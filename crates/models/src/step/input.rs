//! What a block of images is given: pixels, what is lost of them, and deviates.

use std::ops::Range;

use tensor_ops::Float;
use tensor_ops::binarise::PANELS_OF_A_DRAW;
use tensor_ops::panels::{Panels, Support};
use tensor_ops::parallel::Exchange;

use crate::network::pass::{Networks, Source};
use crate::objective::Objective;
use crate::spec::ModelSpec;
use crate::training::batch::BatchSource;

/// Buffers that the threads which run a block together fill in parts, and then
/// all read.
///
/// Pixels are in panels, deviates row-major `[codes, width]`.
#[derive(Debug)]
pub(crate) struct Input<T> {
    inputs: usize,
    noise_width: usize,
    pixels: Exchange<T>,
    /// What the encoder takes in the place of the pixels, if that has lost some.
    corrupted: Exchange<T>,
    corruption: f64,
    support: Support,
    noise: Exchange<T>,
}

impl<T: Float> Input<T> {
    /// Buffers for up to `capacity` images.
    pub(crate) fn new(spec: &ModelSpec, objective: &Objective, capacity: usize) -> Self {
        let inputs = spec.architecture.inputs;
        let noise_width = objective.noise_width(spec);
        let pixels = Panels::new(capacity, inputs);
        let mut support = Support::new();
        // Making room at full size once is what makes later batches free of
        // allocation.
        support.begin::<T>(pixels);
        Self {
            inputs,
            noise_width,
            pixels: Exchange::zeroed(pixels.len()),
            corrupted: Exchange::zeroed(match objective.corruption {
                0.0 => 0,
                _ => pixels.len(),
            }),
            corruption: objective.corruption,
            support,
            noise: Exchange::zeroed(capacity * objective.samples * noise_width),
        }
    }

    /// Begins a block of so many images, before its threads meet.
    pub(crate) fn begin(&mut self, images: usize) {
        self.support.begin::<T>(self.panels(images));
    }

    /// Fills in the pixels of the batch's `images`, all threads together; ends
    /// where they meet.
    pub(crate) fn take(
        &self,
        networks: &dyn Networks<T>,
        batch: &dyn BatchSource<T>,
        images: Range<usize>,
    ) {
        let shape = self.panels(images.len());
        // A draw of pixels makes the words of some panels together, and images
        // of bytes have about as many in a cache line.
        let groups = networks.share(shape.panel_count().div_ceil(PANELS_OF_A_DRAW));
        let last = shape.panel_count();
        let panels = groups.start * PANELS_OF_A_DRAW..last.min(groups.end * PANELS_OF_A_DRAW);
        let own = panels.start * shape.panel_len()..panels.end * shape.panel_len();
        // SAFETY: the shares of the threads are disjoint, and nobody reads before
        // all have met.
        unsafe {
            let pixels = self.pixels.part(own.clone());
            batch.pack_pixels(images.clone(), shape, panels.clone(), pixels);
            if self.corruption > 0.0 {
                let corrupted = self.corrupted.part(own);
                corrupted.copy_from_slice(pixels);
                batch.corrupt(images, self.corruption, shape, panels.clone(), corrupted);
                self.support.mark(panels, corrupted);
            } else {
                self.support.mark(panels, pixels);
            }
        }
        networks.meet();
        let rows = networks.share(self.support.row_tile_count());
        let panels = networks.share(shape.panel_count());
        // SAFETY: all panels are marked; the shares are disjoint, and nobody uses
        // the support before all have met.
        unsafe { self.support.list::<T>(rows, panels) };
        networks.meet();
    }

    /// Draws the deviates of the batch's `codes`, all threads together: they are
    /// there when the threads have met.
    pub(crate) fn draw(
        &self,
        networks: &dyn Networks<T>,
        batch: &dyn BatchSource<T>,
        codes: Range<usize>,
    ) {
        let width = self.noise_width;
        let own = networks.share(codes.len());
        if width == 0 || own.is_empty() {
            return;
        }
        // SAFETY: the shares of the threads are disjoint, and nobody reads before
        // all have met.
        let noise = unsafe { self.noise.part(own.start * width..own.end * width) };
        batch.fill_noise(codes.start + own.start..codes.start + own.end, width, noise);
    }

    /// The deviates, to be filled by the only thread; with the width of a code's.
    pub(crate) fn noise_mut(&mut self, codes: usize) -> (usize, &mut [T]) {
        let width = self.noise_width;
        (width, &mut self.noise.as_mut_slice()[..codes * width])
    }

    /// The pixels, in panels.
    pub(crate) fn pixels(&self, images: usize) -> &[T] {
        // SAFETY: the threads have met since they were written.
        unsafe { self.pixels.read(0..self.panels(images).len()) }
    }

    /// What the encoder takes.
    pub(crate) fn source(&self, images: usize) -> Source<'_, T> {
        let len = self.panels(images).len();
        let values = if self.corruption > 0.0 {
            &self.corrupted
        } else {
            &self.pixels
        };
        Source {
            rows: images,
            // SAFETY: the threads have met since they were written.
            values: unsafe { values.read(0..len) },
            support: Some(&self.support),
        }
    }

    /// The deviates of so many codes.
    pub(crate) fn noise(&self, codes: usize) -> &[T] {
        // SAFETY: the threads have met since they were written.
        unsafe { self.noise.read(0..codes * self.noise_width) }
    }

    fn panels(&self, images: usize) -> Panels {
        Panels::new(images, self.inputs)
    }
}
