//! The entries of one folder: images, folders, and what is neither.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::Path;

use crate::class_names::LABELS_FILE;
use crate::error::DataError;

/// What the names of images end with; whether they are images, and of which
/// format, their content says.
const EXTENSIONS: [&str; 9] = [
    "png", "apng", "jpg", "jpeg", "jpe", "jfif", "webp", "bmp", "dib",
];

/// Files that systems and authors put beside images.
const PASSED_OVER_SILENTLY: [&str; 4] = [LABELS_FILE, "thumbs.db", "desktop.ini", "__macosx"];

/// Whether a name is that of an image.
pub(crate) fn has_image_name(path: &Path) -> bool {
    path.extension().is_some_and(|extension| {
        EXTENSIONS
            .iter()
            .any(|known| extension.eq_ignore_ascii_case(known))
    })
}

/// The entries of one folder, sorted by the bytes of their names.
pub(super) struct Level {
    pub(super) images: Vec<OsString>,
    pub(super) folders: Vec<OsString>,
    /// How many other files there are.
    pub(super) others: usize,
    pub(super) first_other: Option<String>,
}

impl Level {
    pub(super) fn read(folder: &Path, others: &mut Others) -> Result<Self, DataError> {
        let unreadable = |path: &Path, source| DataError::Read {
            path: path.to_owned(),
            source,
        };
        let (mut images, mut folders, mut rest) = (Vec::new(), Vec::new(), Vec::new());
        let entries = fs::read_dir(folder).map_err(|source| unreadable(folder, source))?;
        for entry in entries {
            let entry = entry.map_err(|source| unreadable(folder, source))?;
            let name = entry.file_name();
            if is_passed_over_silently(&name) {
                continue;
            }
            let is_candidate = has_image_name(Path::new(&name));
            let mut kind = entry
                .file_type()
                .map_err(|source| unreadable(&entry.path(), source))?;
            if kind.is_symlink() {
                let path = entry.path();
                match fs::metadata(&path) {
                    Ok(metadata) => kind = metadata.file_type(),
                    // A dangling link is a missing image, or nothing of ours.
                    Err(source) if is_candidate => return Err(unreadable(&path, source)),
                    Err(_) => {}
                }
            }
            if kind.is_dir() {
                folders.push(name);
            } else if kind.is_file() && is_candidate {
                images.push(name);
            } else {
                rest.push(name);
            }
        }
        images.sort_unstable();
        folders.sort_unstable();
        rest.sort_unstable();
        others.add(folder, &rest);
        Ok(Self {
            images,
            folders,
            others: rest.len(),
            first_other: rest.first().map(|name| readable(name)),
        })
    }
}

fn is_passed_over_silently(name: &OsStr) -> bool {
    let bytes = name.as_encoded_bytes();
    bytes.starts_with(b".")
        || PASSED_OVER_SILENTLY
            .iter()
            .any(|known| name.eq_ignore_ascii_case(known))
        || Path::new(name)
            .file_stem()
            .is_some_and(|stem| stem.eq_ignore_ascii_case("readme"))
            && !has_image_name(Path::new(name))
}

/// Files that are no images, for a remark.
#[derive(Default)]
pub(super) struct Others {
    count: usize,
    examples: Vec<String>,
}

impl Others {
    const LISTED: usize = 3;

    fn add(&mut self, folder: &Path, names: &[OsString]) {
        self.count += names.len();
        let missing = Self::LISTED - self.examples.len();
        self.examples.extend(
            names
                .iter()
                .take(missing)
                .map(|name| readable(folder.join(name).as_os_str())),
        );
    }

    pub(super) fn remark(&self) -> Option<String> {
        let listed = self.examples.join(", ");
        let more = if self.count > self.examples.len() {
            ", …"
        } else {
            ""
        };
        match self.count {
            0 => None,
            1 => Some(format!(
                "1 file that is no PNG, JPEG, WebP or BMP image was passed over ({listed})"
            )),
            count => Some(format!(
                "{count} files that are no PNG, JPEG, WebP or BMP images were passed over ({listed}{more})"
            )),
        }
    }
}

/// A name as text; bytes that are no UTF-8 are written `\xNN`.
pub(super) fn readable(name: &OsStr) -> String {
    let mut text = String::new();
    for chunk in name.as_encoded_bytes().utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02X}"));
        }
    }
    text
}
