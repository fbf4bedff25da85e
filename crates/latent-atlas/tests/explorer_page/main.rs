//! The page that `explore` writes, in a browser: opened, used with keys, mouse and
//! fingers, and held against what the program itself encodes and decodes.

mod keyboard;
mod layers;
mod own_image;
mod page_kept;
mod pages;
mod path;
mod pointer;
mod quiet;
mod search;
mod selection;
mod speed;
mod surroundings;
mod touch;
mod training;
mod visit;
