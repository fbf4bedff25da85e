//! `latent_atlas._native`: training, trained models and their pages as Python calls
//! them. The classes that people use are written in Python, beside this.
//!
//! What happens here is that of the crates `runs` and `figures`; this only brings
//! arrays, settings and errors over the border. The interpreter is left to others while
//! anything is computed, and no panic crosses.

mod advice;
mod arrays;
mod errors;
mod fitting;
mod listening;
mod page;
mod run;
mod settings;

use pyo3::prelude::*;

/// The functions and the class of the module.
#[pymodule]
mod _native {
    use pyo3::prelude::*;
    use tensor_ops::isa;

    #[pymodule_export]
    use super::errors::Diverged;
    #[pymodule_export]
    use super::fitting::{fingerprint, fit, measured_rows_of, row_shape};
    #[pymodule_export]
    use super::run::Run;
    #[pymodule_export]
    use super::settings::{check, parameter, schema};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        runs::environment::name_revision(env!("LATENT_ATLAS_REVISION"));
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        module.add("revision", env!("LATENT_ATLAS_REVISION"))?;
        // The kernels would panic at a wrong pin, later.
        let path = isa::preferred().map_err(|_| {
            let names = isa::Isa::ALL.into_iter().filter(|isa| isa.is_available());
            let names: Vec<_> = names.map(isa::Isa::name).collect();
            pyo3::exceptions::PyImportError::new_err(format!(
                "{} is '{}', which is no instruction set of this machine; unset it or choose one of {}",
                isa::PIN_VARIABLE,
                std::env::var_os(isa::PIN_VARIABLE).unwrap_or_default().display(),
                names.join(", ")
            ))
        })?;
        module.add("instruction_set", path.name())
    }
}
