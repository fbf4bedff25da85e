//! Where the codes of the test images lie in a plane: extent, symmetry, the
//! areas of classes, gaps.

use evaluation::class_areas::{ClassAreas, class_areas};
use evaluation::codes::{AxisSymmetry, CodeExtent, axis_symmetry, code_extent};
use evaluation::gaps::{Gaps, gaps};
use evaluation::knn::knn_accuracy;
use serde::{Deserialize, Serialize};

use super::in_plane;
use crate::{Drawing, TrainedRun};
use figures::absence::{Measurement, unlabelled};
use figures::plane_map::code_box;
use runs::Error;

/// Cells along each side when gaps are counted.
pub(crate) const GAP_CELLS: usize = 50;
/// Share of codes beyond each side that gaps and boxes leave out, and in whose
/// highest density region a class' area is taken.
pub(crate) const TRIM: f64 = 0.005;
pub(crate) const AREA_LEVEL: f64 = 0.95;
/// Why areas cannot be compared.
pub(crate) const FEW_AREAS: &str = "fewer than two classes have the 20 test codes of an area";

/// Where the test codes lie.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct CodeNumbers {
    /// Position and size of the cloud.
    pub extent: CodeExtent,
    /// The rectangle of 99 % of the codes on each axis.
    pub ranges: [[f64; 2]; 2],
    /// Symmetry of both axes about 0.
    pub symmetry: Vec<AxisSymmetry>,
    /// Area of each class.
    pub areas: Measurement<ClassAreas>,
    /// Empty cells between the codes.
    pub gaps: Measurement<Gaps>,
    /// Accuracy of 15 nearest training codes on the test codes.
    pub knn_accuracy: Measurement<f64>,
}

impl CodeNumbers {
    /// The larger asymmetry of both axes.
    pub(crate) fn asymmetry(&self) -> f64 {
        self.symmetry
            .iter()
            .map(|axis| axis.asymmetry)
            .fold(0.0, f64::max)
    }

    /// Empty share beyond that of normal codes.
    pub(crate) fn excess_gaps(&self) -> Result<f64, Error> {
        let gaps = self.gaps.get()?;
        Ok(gaps.empty_share - gaps.normal_reference)
    }

    /// The largest class area over the smallest.
    pub(crate) fn area_ratio(&self) -> Result<f64, Error> {
        self.areas
            .get()?
            .ratio
            .ok_or_else(|| Error::Undefined(FEW_AREAS.into()))
    }
}

/// Measures the test codes of a run.
pub(crate) fn code_numbers(drawing: &Drawing<'_>, run: &TrainedRun) -> Result<CodeNumbers, Error> {
    in_plane(run)?;
    drawing.measure(
        run,
        "autoencoder-codes",
        "4: test codes, 50 cells, 95 % areas, neighbours trained on",
        || {
            let (train, test) = (run.trained_on(drawing.dataset)?, &drawing.dataset.test);
            let codes = run.codes(test)?.mean;
            let reference = run.codes(&train)?.mean;
            let neighbours = || -> Result<f64, Error> {
                let labels = train.labels().ok_or_else(unlabelled)?;
                let (reference, codes) = (reference.view(), codes.view());
                let found = knn_accuracy(reference, labels, codes, drawing.test_labels()?, &[15])?;
                Ok(found[0].accuracy)
            };
            let areas = drawing.test_labels().and_then(|labels| {
                let classes = drawing.dataset.classes();
                Ok(class_areas(codes.view(), labels, classes, AREA_LEVEL)?)
            });
            Ok(CodeNumbers {
                extent: code_extent(codes.view())?,
                ranges: code_box(codes.view())?,
                symmetry: axis_symmetry(codes.view())?,
                areas: Measurement::of(areas)?,
                gaps: Measurement::of(gaps(codes.view(), GAP_CELLS, TRIM, 0))?,
                knn_accuracy: Measurement::of(neighbours())?,
            })
        },
    )
}
