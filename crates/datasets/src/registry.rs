//! The data sets known by name: files, hashes, mirrors, classes, licences.

use serde::Serialize;

use crate::glyphs;

/// The names accepted besides `idx:DIR`.
pub const NAMES: [&str; 4] = ["glyphs", "mnist", "fashion-mnist", "kmnist"];

/// The canonical names of the four files without `.gz`, in the order training
/// images, training labels, test images, test labels.
pub const FILE_NAMES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

const DIGITS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

/// A published data set of four IDX files.
#[derive(Debug)]
pub struct NamedSet {
    /// Name on the command line and of its folder.
    pub name: &'static str,
    /// Name in prose.
    pub title: &'static str,
    /// Its folder inside a torchvision root, where the files lie in `raw/`.
    pub torchvision_folder: &'static str,
    /// The four files, in the order of [`FILE_NAMES`].
    pub files: [PublishedFile; 4],
    /// Base addresses, each ending in `/`, in the order they are tried. The
    /// plain http ones have no TLS counterpart: the hash protects them.
    pub mirrors: &'static [&'static str],
    /// Class names in label order.
    pub class_names: &'static [&'static str],
    /// Licence as usually given.
    pub licence: &'static str,
    /// Whom to name beside its pictures.
    pub attribution: &'static str,
}

impl NamedSet {
    /// The forms in which its files can be verified, in words.
    #[must_use]
    pub fn accepted(&self) -> &'static str {
        if self.files.iter().all(|file| file.content_sha256.is_some()) {
            "raw or .gz"
        } else {
            "as published, .gz"
        }
    }
}

/// One of the four files of a [`NamedSet`].
#[derive(Debug)]
pub struct PublishedFile {
    /// Canonical name without `.gz`.
    pub name: &'static str,
    /// SHA-256 of the published `.gz`.
    pub gz_sha256: &'static str,
    /// SHA-256 of the decompressed file, where it is known; a set without it
    /// is accepted as `.gz` only.
    pub content_sha256: Option<&'static str>,
    /// Size of the published `.gz` in bytes: sets the progress bar and, doubled,
    /// the most a download may deliver.
    pub gz_bytes: u64,
}

/// What `data` and the documentation tell about a data set.
#[derive(Clone, Debug, Serialize)]
pub struct DatasetInfo {
    /// Name on the command line.
    pub name: &'static str,
    /// Name in prose.
    pub title: &'static str,
    /// Class names in label order.
    pub class_names: Vec<&'static str>,
    /// Licence as usually given.
    pub licence: &'static str,
    /// Whom to name beside its pictures.
    pub attribution: &'static str,
    /// Whether it is part of the program and needs no files.
    pub embedded: bool,
}

/// The published sets, in the order of [`NAMES`].
#[must_use]
pub fn named_sets() -> &'static [NamedSet] {
    &SETS
}

/// A description of every data set known by name, in the order of [`NAMES`].
#[must_use]
pub fn information() -> Vec<DatasetInfo> {
    let embedded = DatasetInfo {
        name: glyphs::NAME,
        title: "Glyphs",
        class_names: DIGITS.to_vec(),
        licence: glyphs::LICENCE,
        attribution: glyphs::ATTRIBUTION,
        embedded: true,
    };
    let published = SETS.iter().map(|set| DatasetInfo {
        name: set.name,
        title: set.title,
        class_names: set.class_names.to_vec(),
        licence: set.licence,
        attribution: set.attribution,
        embedded: false,
    });
    std::iter::once(embedded).chain(published).collect()
}

/// Class names of sets whose classes are the ten digits.
pub(crate) fn digit_names() -> Vec<String> {
    DIGITS.iter().map(|&name| name.to_owned()).collect()
}

const fn published(
    index: usize,
    gz_bytes: u64,
    gz_sha256: &'static str,
    content_sha256: Option<&'static str>,
) -> PublishedFile {
    PublishedFile {
        name: FILE_NAMES[index],
        gz_sha256,
        content_sha256,
        gz_bytes,
    }
}

static SETS: [NamedSet; 3] = [
    NamedSet {
        name: "mnist",
        title: "MNIST",
        torchvision_folder: "MNIST",
        files: [
            published(
                0,
                9_912_422,
                "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
                Some("ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
            ),
            published(
                1,
                28_881,
                "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
                Some("65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
            ),
            published(
                2,
                1_648_877,
                "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
                Some("0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
            ),
            published(
                3,
                4_542,
                "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
                Some("ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
            ),
        ],
        mirrors: &[
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ],
        class_names: &DIGITS,
        licence: "usually given as CC BY-SA 3.0",
        attribution: "MNIST: Yann LeCun, Corinna Cortes and Christopher J. C. Burges, usually given as CC BY-SA 3.0",
    },
    NamedSet {
        name: "fashion-mnist",
        title: "Fashion-MNIST",
        torchvision_folder: "FashionMNIST",
        files: [
            published(
                0,
                26_421_880,
                "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
                Some("c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"),
            ),
            published(
                1,
                29_515,
                "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
                Some("bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"),
            ),
            published(
                2,
                4_422_102,
                "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
                Some("5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"),
            ),
            published(
                3,
                5_148,
                "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
                Some("0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"),
            ),
        ],
        mirrors: &[
            "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        ],
        class_names: &[
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ],
        licence: "MIT",
        attribution: "Fashion-MNIST: Zalando SE, 2017, MIT licence",
    },
    NamedSet {
        name: "kmnist",
        title: "Kuzushiji-MNIST",
        torchvision_folder: "KMNIST",
        files: [
            published(
                0,
                18_165_135,
                "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
                None,
            ),
            published(
                1,
                29_497,
                "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
                None,
            ),
            published(
                2,
                3_041_136,
                "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
                None,
            ),
            published(
                3,
                5_120,
                "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
                None,
            ),
        ],
        mirrors: &["http://codh.rois.ac.jp/kmnist/dataset/kmnist/"],
        class_names: &["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"],
        licence: "CC BY-SA 4.0",
        attribution: "KMNIST Dataset (created by CODH), adapted from the Kuzushiji Dataset (created by NIJL and others), doi:10.20676/00000341, CC BY-SA 4.0",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_files_and_hashes_are_well_formed() {
        let names: Vec<_> = information().iter().map(|info| info.name).collect();
        assert_eq!(names, NAMES);
        for set in named_sets() {
            for (file, name) in set.files.iter().zip(FILE_NAMES) {
                assert_eq!(file.name, name);
                for hash in std::iter::once(file.gz_sha256).chain(file.content_sha256) {
                    assert_eq!(hash.len(), 64, "{} {}", set.name, name);
                    assert!(
                        hash.bytes()
                            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
                    );
                }
            }
            for mirror in set.mirrors {
                assert!(
                    mirror.starts_with("http") && mirror.ends_with('/'),
                    "{mirror}"
                );
            }
            assert!(set.attribution.contains(set.licence));
        }
    }
}
