//! Numbers, pictures, distributions and texts as TensorBoard shows them.

use runs::Error;
use viz::{ImageRef, encode_png};

use super::messages::{
    Content, Dimension, Histogram, Image, PluginData, SummaryMetadata, Tensor, TensorShape, Value,
};

/// Buckets of a histogram.
const BUCKETS: usize = 30;

/// A number; f32, as all scalars of event files.
#[must_use]
pub(super) fn scalar(tag: impl Into<String>, number: f64) -> Value {
    value(tag, Content::Scalar(number as f32))
}

/// A picture.
///
/// # Errors
/// When it has no pixels.
pub(super) fn image(tag: impl Into<String>, image: ImageRef<'_>) -> Result<Value, Error> {
    let side = |pixels| i32::try_from(pixels).unwrap_or(i32::MAX);
    Ok(value(
        tag,
        Content::Image(Image {
            height: side(image.height()),
            width: side(image.width()),
            colorspace: match image {
                ImageRef::Gray(_) => 1,
                ImageRef::Rgb(_) => 3,
            },
            encoded: encode_png(image, &[])?,
        }),
    ))
}

/// How values are distributed, in 30 buckets of equal width between the least and
/// the largest; nothing of no values, or where one is not finite.
#[must_use]
pub(super) fn histogram(
    tag: impl Into<String>,
    values: impl Iterator<Item = f32> + Clone,
) -> Option<Value> {
    let mut found = Histogram {
        min: f64::INFINITY,
        max: f64::NEG_INFINITY,
        ..Histogram::default()
    };
    for number in values.clone().map(f64::from) {
        if !number.is_finite() {
            return None;
        }
        found.min = found.min.min(number);
        found.max = found.max.max(number);
        found.num += 1.0;
        found.sum += number;
        found.sum_squares += number * number;
    }
    if found.num == 0.0 {
        return None;
    }
    let width = (found.max - found.min) / BUCKETS as f64;
    if width > 0.0 {
        found.bucket = vec![0.0; BUCKETS];
        for number in values.map(f64::from) {
            let bucket = ((number - found.min) / width) as usize;
            found.bucket[bucket.min(BUCKETS - 1)] += 1.0;
        }
        let limits = (1..BUCKETS).map(|bucket| found.min + bucket as f64 * width);
        found.bucket_limit = limits.chain([found.max]).collect();
    } else {
        found.bucket_limit = vec![found.max];
        found.bucket = vec![found.num];
    }
    Some(value(tag, Content::Histogram(found)))
}

/// A text in Markdown.
#[must_use]
pub(super) fn text(tag: impl Into<String>, markdown: &str) -> Value {
    /// The number of texts among the types of arrays.
    const TEXTS: i32 = 7;
    /// Arrays of any length.
    const ANY: i32 = 2;
    let tensor = Tensor {
        dtype: TEXTS,
        tensor_shape: Some(TensorShape {
            dim: vec![Dimension { size: 1 }],
        }),
        string_val: vec![markdown.as_bytes().to_vec()],
    };
    Value {
        metadata: Some(SummaryMetadata {
            plugin_data: Some(PluginData {
                plugin_name: "text".into(),
            }),
            data_class: ANY,
        }),
        ..value(tag, Content::Tensor(tensor))
    }
}

fn value(tag: impl Into<String>, content: Content) -> Value {
    Value {
        tag: tag.into(),
        metadata: None,
        content: Some(content),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[f32]) -> Option<Histogram> {
        match histogram("x", values.iter().copied())?.content? {
            Content::Histogram(histogram) => Some(histogram),
            _ => None,
        }
    }

    #[test]
    fn every_value_lies_in_one_bucket() {
        let values: Vec<f32> = (0..=300).map(|at| at as f32 / 10.0).collect();
        let found = of(&values).expect("values");
        assert_eq!((found.min, found.max, found.num), (0.0, 30.0, 301.0));
        assert_eq!(found.bucket.iter().sum::<f64>(), 301.0);
        assert_eq!(found.bucket_limit.len(), BUCKETS);
        assert!(found.bucket_limit.is_sorted());
        assert_eq!(found.bucket_limit[BUCKETS - 1], 30.0);
        // The largest value lies in the last bucket.
        assert!(found.bucket[BUCKETS - 1] >= 10.0);
        let sum: f64 = values.iter().map(|&v| f64::from(v)).sum();
        assert_eq!(found.sum, sum);
    }

    #[test]
    fn equal_values_have_one_bucket_and_others_none() {
        let found = of(&[2.0, 2.0]).expect("values");
        assert_eq!((found.bucket, found.bucket_limit), (vec![2.0], vec![2.0]));
        assert!(of(&[]).is_none() && of(&[1.0, f32::NAN]).is_none());
        let wide = of(&[f32::MIN, f32::MAX, 0.0]).expect("values");
        assert_eq!(wide.bucket.iter().sum::<f64>(), 3.0);
    }
}
