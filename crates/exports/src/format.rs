//! The formats a run is exported as.

use std::fmt;
use std::str::FromStr;

/// A format of other tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Encoder and decoder as ONNX files.
    Onnx,
    /// Codes as arrays of NumPy.
    Npz,
    /// Codes with pictures and neighbours as a Parquet file.
    Parquet,
    /// Codes as a text table.
    Csv,
    /// Codes for TensorBoard's embedding projector.
    Projector,
    /// The run as an event file of TensorBoard.
    Tensorboard,
    /// The network as a program of PyTorch.
    Python,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 7] = [
        Self::Onnx,
        Self::Npz,
        Self::Parquet,
        Self::Csv,
        Self::Projector,
        Self::Tensorboard,
        Self::Python,
    ];

    /// What it is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Onnx => "onnx",
            Self::Npz => "npz",
            Self::Parquet => "parquet",
            Self::Csv => "csv",
            Self::Projector => "projector",
            Self::Tensorboard => "tensorboard",
            Self::Python => "python",
        }
    }

    /// Whether it has codes of rows.
    #[must_use]
    pub fn has_rows(self) -> bool {
        match self {
            Self::Npz | Self::Parquet | Self::Csv | Self::Projector => true,
            Self::Onnx | Self::Tensorboard | Self::Python => false,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        names::choose("format", text, &Self::ALL, |format| format.name()).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_found_by_their_names() {
        for format in Format::ALL {
            assert_eq!(format.name().parse(), Ok(format));
            assert_eq!(format.name().to_uppercase().parse(), Ok(format));
        }
        let message = "parket".parse::<Format>().unwrap_err();
        assert!(message.contains("did you mean 'parquet'?"), "{message}");
        let message = "xyz".parse::<Format>().unwrap_err();
        assert!(
            message.contains("'npz'") && message.contains("'python'"),
            "{message}"
        );
    }
}
