//! The command line of Latent Atlas.
fn main() {}
