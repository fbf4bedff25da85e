//! An array of images or vectors, with its labels, as a part of a source.

use super::array::Array;
use super::dtype::Element;
use super::labels::Labels;
use super::layout::Layout;
use crate::error::DataError;
use crate::part::{Part, ReadRows, RowsInto};
use crate::values::{Kind, ValuesMut};

/// Elements converted at a time.
const CHUNK_VALUES: usize = 1 << 16;

/// Elements gathered in one pass over a file.
const GATHERED_VALUES: usize = 1 << 25;

pub(super) fn part(array: Array, layout: Layout, labels: Option<Labels>) -> Part {
    Part {
        path: array.place().path.clone(),
        count: array.shape()[0],
        shape: layout.shape,
        kind: if array.dtype().is_bytes() {
            Kind::Bytes
        } else {
            Kind::Floats
        },
        is_labelled: labels.is_some(),
        is_named: false,
        rows: Box::new(ArrayRows {
            array,
            layout,
            labels,
            buffer: Vec::new(),
            done: 0,
        }),
    }
}

struct ArrayRows {
    array: Array,
    layout: Layout,
    labels: Option<Labels>,
    buffer: Vec<u8>,
    done: usize,
}

impl ReadRows for ArrayRows {
    fn read(&mut self, into: &mut RowsInto<'_>) -> Result<(), DataError> {
        let length = self.layout.shape.len();
        let rows = into.values.len() / length;
        if let Some(labels) = &mut self.labels {
            labels.read(self.done, rows, into.labels)?;
        }
        self.done += rows;
        match &mut into.values {
            ValuesMut::Bytes(values) => {
                self.array.read(values)?;
                if self.array.dtype().element == Element::Bool {
                    for value in values.iter_mut() {
                        *value = if *value == 0 { 0 } else { 255 };
                    }
                }
                self.channels_last(values);
            }
            ValuesMut::Floats(values) => {
                let dtype = self.array.dtype();
                // Gathering a row costs a pass over the file: many at a time.
                let at_once = if self.array.is_gathered() {
                    GATHERED_VALUES
                } else {
                    CHUNK_VALUES
                };
                let chunk = (at_once / length).clamp(1, rows.max(1));
                for values in values.chunks_mut(chunk * length) {
                    self.buffer.resize(values.len() * dtype.bytes, 0);
                    self.array.read(&mut self.buffer)?;
                    for (value, stored) in
                        values.iter_mut().zip(self.buffer.chunks_exact(dtype.bytes))
                    {
                        *value = dtype.value(stored) as f32;
                    }
                    self.channels_last(values);
                }
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<Option<[String; 2]>, DataError> {
        self.array.check_end()?;
        if let Some(labels) = &mut self.labels {
            labels.check_end()?;
        }
        Ok(None)
    }
}

impl ArrayRows {
    /// Brings the channels of a pixel side by side.
    fn channels_last<V: Copy>(&self, values: &mut [V]) {
        let channels = self.layout.shape.channels();
        if !self.layout.channels_first || channels == 1 {
            return;
        }
        let length = self.layout.shape.len();
        let pixels = length / channels;
        let mut planes = Vec::with_capacity(length);
        for row in values.chunks_exact_mut(length) {
            planes.clear();
            planes.extend_from_slice(row);
            for (pixel, values) in row.chunks_exact_mut(channels).enumerate() {
                for (channel, value) in values.iter_mut().enumerate() {
                    *value = planes[channel * pixels + pixel];
                }
            }
        }
    }
}
