//! The runs that studies are going to need, for those who train them elsewhere.

use datasets::Dataset;
use runs::Error;
use runs::configuration::{Configuration, ReadingConfiguration};
use runs::run_data::DataLocation;

use crate::draw::Data;
use crate::{PlannedRun, Scale, Seeds, Study};

/// Of what and how many runs, as [`draw`](crate::draw::draw) is asked.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The studies.
    pub studies: &'a [Study],
    /// The data set; `None` for the one that the studies name, or the embedded one.
    pub dataset: Option<&'a str>,
    /// Fewer epochs, for a first look.
    pub quick: bool,
    /// Seeds per model; `None` for what a study says.
    pub seeds: Option<Seeds>,
    /// The first seed of each model.
    pub first_seed: u64,
    /// How the data set is read.
    pub reading: &'a ReadingConfiguration,
    /// Where it is.
    pub location: &'a DataLocation,
}

/// The data set, and the runs of each study, in its order: those that
/// [`draw`](crate::draw::draw) would train. A run that several studies need is there
/// for each.
///
/// # Errors
/// Studies of different data sets or that cannot be asked of these; seeds that depend
/// on what is decided on the way; data that cannot be had.
pub fn planned(
    request: &Request<'_>,
    download: &mut dyn FnMut(datasets::Progress<'_>),
) -> Result<(Dataset, Vec<Vec<PlannedRun>>), Error> {
    let seeds_of = |study: &Study| request.seeds.unwrap_or_else(|| study.seeds());
    for study in request.studies {
        let seeds = seeds_of(study);
        seeds.check("--seeds")?;
        if let Seeds::UntilDecided(_) = seeds {
            return Err(Error::Configuration(format!(
                "the study '{}' is to have seeds {seeds}, which follow from what each look decides; name a number with --seeds",
                study.name()
            )));
        }
    }
    let data = Data::of_studies(request.dataset, request.reading, request.studies)?;
    let dataset = request
        .location
        .load(&data.of(Configuration::default()), download)?;
    let runs = request.studies.iter().map(|study| {
        let runs = study.runs(Scale {
            quick: request.quick,
            first_seed: request.first_seed,
            seeds: seeds_of(study).most(),
            until_decided: false,
        });
        crate::check(study, &runs, &dataset)?;
        data.planned(&dataset, runs)
    });
    let runs = runs.collect::<Result<_, Error>>()?;
    Ok((dataset, runs))
}
