//! Exported runs, read back by readers that share nothing with what wrote them.

mod event_files;
mod folders;
mod projector;
mod support;
mod tables;
mod watching;
