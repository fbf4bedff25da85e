//! Networks of dense layers that were trained elsewhere, read as models.
//!
//! Three formats are read: safetensors, the archives of PyTorch's `torch.save`, and
//! ONNX. Of all three nothing is ever executed. Which layer is which part of an
//! autoencoder follows from widths, names and order ([`read`]), or is said in a file
//! ([`NameMap`]); what a file cannot tell, such as the nonlinearity, is declared
//! ([`Declared`]) or assumed and said.

#![forbid(unsafe_code)]

mod arrangement;
mod assembly;
mod assumptions;
mod declared;
mod error;
mod file;
mod graph;
mod layers;
mod map;
mod model;
mod onnx_file;
mod own_metadata;
mod own_names;
mod safetensors_file;
mod tensor;
mod torch;
mod trace;
mod words;

pub use declared::Declared;
pub use error::ImportError;
pub use file::{Contents, Format};
pub use map::NameMap;
pub use model::{Imported, read};
pub use tensor::Tensor;
