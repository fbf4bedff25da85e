//! The documents whose statements the studies measure.

/// A document, by the number that its statements begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Document {
    /// The short reference, such as `000`.
    pub number: &'static str,
    /// Its own title.
    pub title: &'static str,
    /// What it is.
    pub about: &'static str,
}

/// Every document, in the order of their numbers. All are written in English.
pub const DOCUMENTS: [Document; 4] = [
    Document {
        number: "000",
        title: "Lab 8 Exercise – Exploring Latent Spaces",
        about: "a student's answer to an exercise on latent spaces",
    },
    Document {
        number: "001",
        title: "COMP6248 Lab 8 Exercise",
        about: "another student's answer to the same exercise",
    },
    Document {
        number: "002",
        title: "Autoencoders",
        about: "a blog post that introduces autoencoders by drawing digits",
    },
    Document {
        number: "003",
        title: "About Variational Autoencoders",
        about: "an article on what sampling does in VAEs of up to 16 latent variables",
    },
];

/// The document of a number.
#[must_use]
pub fn document(number: &str) -> Option<&'static Document> {
    DOCUMENTS.iter().find(|document| document.number == number)
}
