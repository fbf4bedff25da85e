//! Which files of a folder are images, and of which part and class.

use std::collections::{BTreeSet, HashSet};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::class_names;
use crate::error::DataError;
use crate::folder::level::{Level, Others, readable};
use crate::folder::problem::FolderProblem;

/// The images of a source, in their order.
#[derive(Debug)]
pub(super) struct Tree {
    /// The folder that names are relative to.
    pub(super) root: PathBuf,
    /// The training images, or all of them.
    pub(super) train: ImageFiles,
    pub(super) test: Option<ImageFiles>,
    /// Names of the classes, by label.
    pub(super) classes: Vec<String>,
    pub(super) remarks: Vec<String>,
}

/// The images of one part.
#[derive(Debug)]
pub(super) struct ImageFiles {
    /// Their folder.
    pub(super) path: PathBuf,
    pub(super) files: Vec<ImageFile>,
    pub(super) is_labelled: bool,
}

/// An image file.
#[derive(Debug)]
pub(super) struct ImageFile {
    /// Its path relative to the source, with `/` between folders; bytes that
    /// are no UTF-8 are written `\xNN`.
    pub(super) name: Box<str>,
    /// That path itself, where the name is not it.
    raw: Option<Box<OsStr>>,
    /// The position of its class among all classes.
    pub(super) label: i64,
}

impl ImageFile {
    /// The path relative to the source.
    pub(super) fn relative(&self) -> &OsStr {
        self.raw.as_deref().unwrap_or(OsStr::new(&*self.name))
    }
}

impl Tree {
    /// All images, those for training first.
    pub(super) fn files(&self) -> impl Iterator<Item = &ImageFile> {
        let test = self.test.iter().flat_map(|test| &test.files);
        self.train.files.iter().chain(test)
    }

    /// A single image.
    pub(super) fn of_file(path: &Path) -> Self {
        let root = path.parent().unwrap_or(Path::new("")).to_owned();
        let files = named(vec![(
            path.file_name().unwrap_or(path.as_os_str()).to_owned(),
            0,
        )]);
        Self {
            root,
            train: ImageFiles {
                path: path.to_owned(),
                files,
                is_labelled: false,
            },
            test: None,
            classes: Vec::new(),
            remarks: Vec::new(),
        }
    }

    /// The images below `root`.
    pub(super) fn of_folder(root: &Path) -> Result<Self, DataError> {
        let mut others = Others::default();
        let top = Level::read(root, &mut others)?;
        let mut remarks = Vec::new();
        let (train, test) = match Parts::among(root, &top)? {
            None => (Content::of(root, None, top, &mut others)?, None),
            Some(parts) => {
                let mut content = |folder: &OsString| {
                    let level = Level::read(&root.join(folder), &mut others)?;
                    Content::of(root, Some(folder), level, &mut others)
                };
                let train = content(&parts.train)?;
                let test = parts.test.as_ref().map(&mut content).transpose()?;
                remarks.extend(parts.remark());
                (train, test)
            }
        };
        let classes = classes(root, [Some(&train), test.as_ref()])?;
        remarks.extend(others.remark());
        let train = train.into_files(&classes);
        let test = test.map(|test| test.into_files(&classes));
        let mut names: Vec<String> = classes.iter().map(|class| readable(class)).collect();
        if !names.is_empty() {
            let listed = class_names::beside(root)?.by_label;
            let folders = names.clone();
            for (label, name) in listed {
                let class = usize::try_from(label).ok().and_then(|at| folders.get(at));
                // A list in another order than the folders' would exchange
                // classes without a word.
                if let Some(class) =
                    class.filter(|&class| *class != name && folders.contains(&name))
                {
                    return Err(DataError::SwappedNames {
                        path: root.join(class_names::LABELS_FILE),
                        class: class.clone(),
                        name,
                    });
                }
                match usize::try_from(label).ok().and_then(|at| names.get_mut(at)) {
                    Some(place) => *place = name,
                    None => {
                        return Err(problem(
                            root,
                            FolderProblem::NoSuchClass {
                                label,
                                classes: names.len(),
                            },
                        ));
                    }
                }
            }
        }
        Ok(Self {
            root: root.to_owned(),
            train,
            test,
            classes: names,
            remarks,
        })
    }
}

fn problem(path: &Path, problem: FolderProblem) -> DataError {
    DataError::Folder {
        path: path.to_owned(),
        problem,
    }
}

/// The folders that are classes, in the order of their labels: those that hold
/// an image in one of the parts.
fn classes(root: &Path, parts: [Option<&Content>; 2]) -> Result<Vec<OsString>, DataError> {
    let mut all = BTreeSet::new();
    let mut with_images = BTreeSet::new();
    for class in parts.into_iter().flatten().flat_map(|part| &part.classes) {
        all.insert(&class.name);
        if !class.images.is_empty() {
            with_images.insert(&class.name);
        }
    }
    match all.difference(&with_images).next() {
        None => Ok(with_images.into_iter().cloned().collect()),
        Some(empty) => Err(problem(
            root,
            FolderProblem::EmptyClass {
                class: readable(empty),
            },
        )),
    }
}

/// The folders of training and test images, where that is what a folder is
/// divided into.
struct Parts {
    train: OsString,
    test: Option<OsString>,
    /// Images for validation beside a test set: left out.
    left_out: Option<OsString>,
    /// Whether the test set is called one for validation.
    is_validation: bool,
}

impl Parts {
    /// A folder is divided when it holds nothing but folders with these names,
    /// a training one among them. `train` beside `car` and `bus` is a class.
    fn among(root: &Path, top: &Level) -> Result<Option<Self>, DataError> {
        const NAMES: [(&str, &[&str]); 3] = [
            ("training", &["train", "training"]),
            ("test", &["test", "testing"]),
            ("validation", &["val", "valid", "validation"]),
        ];
        let part_of = |folder: &OsString| {
            NAMES
                .iter()
                .position(|(_, names)| names.iter().any(|name| folder.eq_ignore_ascii_case(name)))
        };
        let mut found: [Option<OsString>; 3] = [None, None, None];
        let mut twice = None;
        for folder in &top.folders {
            let Some(part) = part_of(folder) else {
                return Ok(None);
            };
            match &found[part] {
                None => found[part] = Some(folder.clone()),
                Some(first) => {
                    twice = twice.or(Some(FolderProblem::TwoOfOnePart {
                        first: readable(first),
                        second: readable(folder),
                        part: NAMES[part].0,
                    }));
                }
            }
        }
        if !top.images.is_empty() {
            return Ok(None);
        }
        if let Some(twice) = twice {
            return Err(problem(root, twice));
        }
        let [Some(train), test, validation] = found else {
            return Ok(None);
        };
        Ok(Some(match test {
            Some(test) => Self {
                train,
                test: Some(test),
                left_out: validation,
                is_validation: false,
            },
            None => Self {
                train,
                is_validation: validation.is_some(),
                test: validation,
                left_out: None,
            },
        }))
    }

    fn remark(&self) -> Option<String> {
        match (&self.left_out, &self.test) {
            (Some(left_out), Some(test)) => Some(format!(
                "the images of {}/ were left out: {}/ is the test set",
                readable(left_out),
                readable(test)
            )),
            (None, Some(test)) if self.is_validation => {
                Some(format!("{}/ is taken as the test set", readable(test)))
            }
            _ => None,
        }
    }
}

/// The images of one part: flat, or by class.
struct Content {
    path: PathBuf,
    /// The folder of the part relative to the source.
    prefix: Option<OsString>,
    images: Vec<OsString>,
    classes: Vec<Class>,
}

struct Class {
    name: OsString,
    images: Vec<OsString>,
}

impl Content {
    fn of(
        root: &Path,
        prefix: Option<&OsString>,
        level: Level,
        others: &mut Others,
    ) -> Result<Self, DataError> {
        let path = prefix.map_or_else(|| root.to_owned(), |prefix| root.join(prefix));
        if let (Some(image), Some(folder)) = (level.images.first(), level.folders.first()) {
            return Err(problem(
                &path,
                FolderProblem::Mixed {
                    image: readable(image),
                    folder: readable(folder),
                },
            ));
        }
        let mut classes = Vec::with_capacity(level.folders.len());
        for name in level.folders {
            let folder = path.join(&name);
            let within = Level::read(&folder, others)?;
            if let Some(inner) = within.folders.first() {
                return Err(problem(
                    &path,
                    FolderProblem::Nested {
                        inner: folder.join(inner),
                    },
                ));
            }
            classes.push(Class {
                name,
                images: within.images,
            });
        }
        if level.images.is_empty() && classes.iter().all(|class| class.images.is_empty()) {
            return Err(problem(
                &path,
                match classes.first() {
                    Some(class) => FolderProblem::EmptyClass {
                        class: readable(&class.name),
                    },
                    None => FolderProblem::NoImages {
                        others: level.others,
                        example: level.first_other,
                    },
                },
            ));
        }
        Ok(Self {
            path,
            prefix: prefix.cloned(),
            images: level.images,
            classes,
        })
    }

    fn into_files(self, classes: &[OsString]) -> ImageFiles {
        let joined = |parts: [Option<&OsString>; 3]| {
            let mut joined = OsString::new();
            for part in parts.into_iter().flatten() {
                if !joined.is_empty() {
                    joined.push("/");
                }
                joined.push(part);
            }
            joined
        };
        let prefix = self.prefix.as_ref();
        let is_labelled = self.images.is_empty();
        let flat = self
            .images
            .iter()
            .map(|image| (joined([prefix, None, Some(image)]), 0));
        let by_class = self.classes.iter().flat_map(|class| {
            let label = classes.binary_search(&class.name).map_or(0, |at| at as i64);
            class
                .images
                .iter()
                .map(move |image| (joined([prefix, Some(&class.name), Some(image)]), label))
        });
        ImageFiles {
            files: named(flat.chain(by_class).collect()),
            path: self.path,
            is_labelled,
        }
    }
}

/// Gives every file a readable name of its own.
fn named(files: Vec<(OsString, i64)>) -> Vec<ImageFile> {
    let mut taken: HashSet<Box<str>> = HashSet::new();
    if files.iter().any(|(path, _)| path.to_str().is_none()) {
        taken.extend(
            files
                .iter()
                .filter_map(|(path, _)| Some(path.to_str()?.into())),
        );
    }
    files
        .into_iter()
        .map(|(path, label)| match path.into_string() {
            Ok(name) => ImageFile {
                name: name.into_boxed_str(),
                raw: None,
                label,
            },
            Err(path) => {
                let mut name = readable(&path);
                while !taken.insert(name.as_str().into()) {
                    name.push('~');
                }
                ImageFile {
                    name: name.into_boxed_str(),
                    raw: Some(path.into_boxed_os_str()),
                    label,
                }
            }
        })
        .collect()
}
