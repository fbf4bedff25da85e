//! Run folders, configuration and studies: joins the other crates.
