//! Which images figures single out: of each class, or at random where there
//! are no labels.

use datasets::{Dataset, Split};
use evaluation::subset::{self, Population, SEED, numbers};
use runs::Error;

use crate::wording::{capitalised, listed, spelled};

/// Images of a choice without labels.
const UNLABELLED: usize = 10;
/// More classes are not told apart in one figure.
const MOST_CLASSES: usize = 20;

/// Some images, and which.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// Their positions in the split.
    pub images: Vec<usize>,
    /// `One image of each class`.
    pub title: String,
    /// `the first test image of each class`.
    pub words: String,
}

/// The first test image of each class, of some of the classes where there are
/// many, or without labels some images at random.
pub fn one_of_each_class(test: &Split, classes: usize) -> Choice {
    one_of_at_most(MOST_CLASSES, test, classes)
}

/// As [`one_of_each_class`], where only `most` classes can be told apart.
pub fn one_of_at_most(most: usize, test: &Split, classes: usize) -> Choice {
    let Some(labels) = test.labels() else {
        let images = in_random_order(test.len(), most.min(UNLABELLED));
        let number = spelled(images.len());
        let noun = rows_word(test, images.len());
        return Choice {
            title: capitalised(&format!("{number} {noun}")),
            words: format!("{number} test {noun} at random"),
            images,
        };
    };
    let noun = rows_word(test, 1);
    let mut images: Vec<usize> = (0..classes)
        .filter_map(|class| labels.iter().position(|&label| label as usize == class))
        .collect();
    let present = images.len();
    images.truncate(most);
    if present > most {
        return Choice {
            title: format!("One {noun} of each of {most} classes"),
            words: format!(
                "the first test {noun} of each of the first {most} of {present} classes"
            ),
            images,
        };
    }
    Choice {
        images,
        title: format!("One {noun} of each class"),
        words: format!("the first test {noun} of each class"),
    }
}

/// The test images at `images`, which a picture was asked for.
///
/// # Errors
/// An image that is not there.
pub fn chosen(images: &[usize], dataset: &Dataset, picture: &str) -> Result<Choice, Error> {
    let test = dataset.test.len();
    if let Some(beyond) = images.iter().find(|&&image| image >= test) {
        return Err(Error::Configuration(format!(
            "the figure '{picture}' was asked for test image {beyond}, but {} has {test}, counted from 0",
            dataset.name
        )));
    }
    let words: Vec<String> = images.iter().map(ToString::to_string).collect();
    Ok(Choice {
        images: images.to_vec(),
        title: "Chosen images".into(),
        words: format!("the test {} {}", dataset.shape().noun(), listed(&words)),
    })
}

fn rows_word(test: &Split, count: usize) -> &'static str {
    match (test.shape().is_image(), count) {
        (true, 1) => "image",
        (true, _) => "images",
        (false, 1) => "vector",
        (false, _) => "vectors",
    }
}

/// Positions of at most `most` of `count` images in random order, so that a smaller
/// choice begins a larger one. A number about the data is measured on a
/// [`subset`].
pub fn in_random_order(count: usize, most: usize) -> Vec<usize> {
    subset::in_random_order(count, most, numbers(SEED))
}

/// Positions of at most `most` rows of a split that a figure draws as points,
/// ascending: all, or a random sample in which every class has its share.
pub fn drawn(split: &Split, most: usize) -> Vec<usize> {
    let population = Population::of(split.len(), split.labels());
    subset::subset(population, most, numbers(SEED))
}

/// Positions of at most `per_class` images of each of at most `most` classes,
/// class by class, in the order of the same numbers.
pub fn of_each_class(labels: &[u32], classes: usize, per_class: usize, most: usize) -> Vec<usize> {
    let order = in_random_order(labels.len(), labels.len());
    (0..classes)
        .map(|class| {
            let members = order
                .iter()
                .filter(|&&image| labels[image] as usize == class);
            members.take(per_class).copied().collect::<Vec<_>>()
        })
        .filter(|members| !members.is_empty())
        .take(most)
        .flatten()
        .collect()
}

#[cfg(test)]
mod tests {
    use datasets::{Shape, Values};

    use super::*;

    fn split(labels: Option<Vec<u32>>, count: usize) -> Split {
        Split::new(
            Values::Bytes(vec![0; count].into()),
            Shape::grey(1, 1),
            labels,
        )
    }

    #[test]
    fn the_first_of_each_class_that_has_one() {
        let choice = one_of_each_class(&split(Some(vec![2, 0, 0, 4, 2]), 5), 5);
        assert_eq!(choice.images, [1, 0, 3]);
        assert_eq!(choice.words, "the first test image of each class");
        let labels: Vec<u32> = (0..62).rev().collect();
        let choice = one_of_each_class(&split(Some(labels), 62), 62);
        assert_eq!(choice.images.len(), 20);
        assert_eq!((choice.images[0], choice.images[19]), (61, 42));
        assert!(choice.words.contains("of 62 classes"));
        let labels: Vec<u32> = (0..62).rev().collect();
        let ten = one_of_at_most(10, &split(Some(labels), 62), 62);
        assert_eq!(ten.images, choice.images[..10]);
    }

    #[test]
    fn without_labels_a_choice_is_random_and_fixed() {
        let choice = one_of_each_class(&split(None, 300), 0);
        assert_eq!(choice, one_of_each_class(&split(None, 300), 0));
        assert_eq!(choice.images.len(), 10);
        assert!(choice.images.windows(2).any(|pair| pair[0] > pair[1]));
        assert_eq!(choice.title, "Ten images");
        let few = one_of_each_class(&split(None, 1), 0);
        assert_eq!((few.images, few.title), (vec![0], "One image".into()));
        assert_eq!(
            one_of_at_most(4, &split(None, 300), 0).images,
            choice.images[..4]
        );
    }

    #[test]
    fn a_choice_has_every_class_and_grows() {
        let labels: Vec<u32> = (0..200).map(|image| image / 20).collect();
        let six = of_each_class(&labels, 10, 6, 10);
        let one = of_each_class(&labels, 10, 1, 10);
        assert_eq!(one, six.iter().step_by(6).copied().collect::<Vec<_>>());
        for (at, &image) in six.iter().enumerate() {
            assert_eq!(labels[image] as usize, at / 6);
        }
        let distinct: std::collections::BTreeSet<_> = six.iter().collect();
        assert_eq!(distinct.len(), 60);
        assert_eq!(of_each_class(&labels, 12, 6, 2), six[..12]);
        assert_eq!(of_each_class(&[3, 3], 9, 6, 1).len(), 2);
    }
}
