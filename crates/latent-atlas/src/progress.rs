//! Progress of long work: a bar on a terminal, a line per epoch when piped.

use std::cell::Cell;
use std::fmt::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use indicatif::{
    HumanDuration, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle,
};
use models::ModelKind;
use runs::run_folder::EpochMetrics;

use crate::output::Output;

/// Parts that a run is divided into for its bar: finer than epochs, so that the
/// first of them tells how long the run will take.
const PARTS: u64 = 10_000;

/// What is too long for the terminal is cut from the message.
const TRAINING_BAR: &str = "{prefix}{bar:10} {wide_msg}{left}";

/// Shows the training of one model.
pub(crate) struct TrainingProgress {
    output: Output,
    bars: MultiProgress,
    /// On a terminal, from the beginning of training to its end.
    bar: Option<ProgressBar>,
    prefix: String,
    epochs: usize,
    kind: Option<ModelKind>,
    diagnosis: Option<String>,
}

impl TrainingProgress {
    /// The only run.
    pub(crate) fn new(output: Output, epochs: usize) -> Self {
        Self::among(&MultiProgress::new(), output, "", epochs)
    }

    /// One of several runs, each with its own bar and `prefix`.
    pub(crate) fn among(bars: &MultiProgress, output: Output, prefix: &str, epochs: usize) -> Self {
        Self {
            output,
            bars: bars.clone(),
            bar: None,
            prefix: prefix.to_owned(),
            epochs,
            kind: None,
            diagnosis: None,
        }
    }

    /// Says what is wrong with the run that was trained, if anything is.
    pub(crate) fn conclude(&self) {
        if let Some(line) = &self.diagnosis {
            self.output.note(line);
        }
    }

    /// A line about the work, above the bars where there are any.
    fn say(&self, line: &str) {
        note_above(&self.bars, self.output, &format!("{}{line}", self.prefix));
    }

    /// The bar, from now on to be seen.
    fn bar(&mut self) -> Option<&ProgressBar> {
        if self.bar.is_none() && self.output.is_interactive() {
            let bar = self.bars.add(ProgressBar::new(PARTS));
            bar.set_style(style(TRAINING_BAR));
            bar.set_prefix(self.prefix.clone());
            bar.set_message(format!("epoch 0/{}", self.epochs));
            bar.enable_steady_tick(Duration::from_millis(200));
            self.bar = Some(bar);
        }
        self.bar.as_ref()
    }

    fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
            self.bars.remove(&bar);
        }
    }
}

/// A note among the bars of work that is under way.
pub(crate) fn note_above(bars: &MultiProgress, output: Output, line: &str) {
    if output.is_interactive() {
        // As in a note, nobody need listen.
        let _ = bars.println(line);
    } else {
        output.note(line);
    }
}

impl Drop for TrainingProgress {
    /// However training ends, no bar is left on the terminal.
    fn drop(&mut self) {
        self.clear();
    }
}

impl runs::training::Observer for TrainingProgress {
    fn data(&mut self, dataset: &datasets::Dataset) {
        let health = datasets::Health::at_a_glance(dataset);
        self.say(&dataset.statement());
        for remark in &health.remarks {
            self.say(remark);
        }
        for finding in &health.findings {
            self.say(&format!("note: {}; {}", finding.found, finding.advice));
        }
    }

    fn model(&mut self, kind: ModelKind) {
        self.kind = Some(kind);
    }

    fn mended(&mut self, sentence: &str) {
        self.say(&format!("note: {sentence}"));
    }

    fn began(&mut self, statement: &str) {
        self.say(statement);
        self.bar();
    }

    fn resumed(&mut self, epochs: usize) {
        let done = epochs as f64 / self.epochs.max(1) as f64;
        let message = format!("epoch {epochs}/{}", self.epochs);
        if let Some(bar) = self.bar() {
            bar.set_message(message);
            bar.set_position((done * PARTS as f64) as u64);
            bar.reset_eta();
        }
    }

    fn progressed(&mut self, share: f64) {
        if let Some(bar) = self.bar() {
            bar.set_position((share * PARTS as f64) as u64);
        }
    }

    fn epoch(&mut self, metrics: &EpochMetrics, epochs: usize) {
        let line = epoch_line(metrics, epochs, self.kind);
        if let Some(bar) = self.bar() {
            bar.set_message(line);
        } else {
            // The one is a mean over weights that change, the other of those at
            // the end: neither is to be taken from the other.
            self.output.note(&format!(
                "{}{line}  running train mean {:.2}  {:.0} images/s",
                self.prefix, metrics.train.loss, metrics.images_per_second
            ));
        }
    }

    fn finished(&mut self) {
        self.clear();
    }

    fn wants_diagnosis(&self) -> bool {
        self.output.shows_progress()
    }

    fn diagnosed(&mut self, line: &str) {
        self.diagnosis = Some(line.to_owned());
    }
}

/// An epoch and the test loss after it.
fn epoch_line(metrics: &EpochMetrics, epochs: usize, kind: Option<ModelKind>) -> String {
    let test = &metrics.test;
    let mut line = format!(
        "epoch {}/{epochs}  test loss {:.2}",
        metrics.epoch, test.loss
    );
    if let Some(penalty) = kind.and_then(ModelKind::penalty_name) {
        let _ = write!(line, " ({penalty} {:.2})", test.kl);
    }
    line
}

/// The style of a bar; `{left}` is the time that is left, where that is known
/// and not nothing.
pub(crate) fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .expect("the template is well formed")
        .with_key("left", |state: &ProgressState, text: &mut dyn Write| {
            let left = time_left(state.pos(), state.len(), state.eta());
            // A bar that cannot be written is no reason to stop.
            let _ = text.write_str(&left);
        })
}

fn time_left(done: u64, all: Option<u64>, left: Duration) -> String {
    let is_known = done > 0 && all.is_none_or(|all| done < all);
    if is_known && left.as_secs() > 0 {
        format!("  {:#} left", HumanDuration(left))
    } else {
        String::new()
    }
}

/// Shows how many images of a long evaluation are done: a bar on a terminal,
/// a line per tenth when piped.
pub(crate) struct ImageProgress {
    output: Output,
    bars: MultiProgress,
    bar: ProgressBar,
    prefix: String,
    images: AtomicUsize,
    done: AtomicUsize,
    diagnosis: Mutex<Option<String>>,
}

impl ImageProgress {
    /// Of the only evaluation.
    pub(crate) fn new(output: Output) -> Self {
        Self::among(&MultiProgress::new(), output, "")
    }

    /// Of one of several, each with its own bar and `prefix`.
    pub(crate) fn among(bars: &MultiProgress, output: Output, prefix: &str) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        bar.set_style(style("{prefix}{bar:10} {pos}/{len} images{left}"));
        bar.set_prefix(prefix.to_owned());
        Self {
            output,
            bars: bars.clone(),
            bar,
            prefix: prefix.to_owned(),
            images: AtomicUsize::new(0),
            done: AtomicUsize::new(0),
            diagnosis: Mutex::new(None),
        }
    }

    /// Says what is wrong with the run that was evaluated, if anything is.
    pub(crate) fn conclude(&self) {
        if let Some(line) = self.diagnosis.lock().ok().and_then(|line| line.clone()) {
            self.output.note(&line);
        }
    }
}

impl runs::report::Observer for ImageProgress {
    fn sampling(&self, images: usize) {
        if self.output.is_interactive() {
            self.bars.add(self.bar.clone());
        }
        self.bar.set_length(images as u64);
        self.images.store(images, Ordering::Relaxed);
    }

    fn wants_diagnosis(&self) -> bool {
        self.prefix.is_empty() && self.output.shows_progress()
    }

    fn diagnosed(&self, line: &str) {
        if let Ok(mut diagnosis) = self.diagnosis.lock() {
            *diagnosis = Some(line.to_owned());
        }
    }

    fn sampled(&self) {
        self.bar.inc(1);
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        let all = self.images.load(Ordering::Relaxed);
        if done == all {
            self.bar.finish_and_clear();
            self.bars.remove(&self.bar);
        } else if !self.output.is_interactive() && done.is_multiple_of(all.div_ceil(10)) {
            self.output.note(&format!(
                "{}importance sampling: {done} of {all} images",
                self.prefix
            ));
        }
    }
}

/// Shows how many rows have gone through a model: a bar on a terminal, a line
/// every few seconds when piped.
pub(crate) struct RowProgress {
    output: Output,
    bar: ProgressBar,
    done: Cell<usize>,
    told: Cell<Instant>,
}

/// Time between two lines.
const PAUSE: Duration = Duration::from_secs(5);

impl RowProgress {
    pub(crate) fn new(output: Output) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        bar.set_style(style("{bar:32} {pos}/{len} rows{left}"));
        Self {
            output,
            bar,
            done: Cell::new(0),
            told: Cell::new(Instant::now()),
        }
    }
}

impl runs::apply::Observer for RowProgress {
    fn began(&self, rows: usize) {
        if self.output.is_interactive() {
            self.bar
                .set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
        }
        self.bar.set_length(rows as u64);
    }

    fn advanced(&self, rows: usize) {
        self.bar.inc(rows as u64);
        let done = self.done.get() + rows;
        self.done.set(done);
        let all = self.bar.length().unwrap_or(0);
        if done as u64 >= all {
            self.bar.finish_and_clear();
        } else if !self.output.is_interactive() && self.told.get().elapsed() >= PAUSE {
            self.told.set(Instant::now());
            self.output.note(&format!("{done} of {all} rows"));
        }
    }

    fn remark(&self, sentence: &str) {
        self.output.note(sentence);
    }
}

#[cfg(test)]
mod tests {
    use models::DataTreatment;
    use runs::run_folder::Losses;

    use super::*;

    fn metrics(loss: f64) -> EpochMetrics {
        let losses = Losses {
            loss,
            reconstruction: loss - 25.5,
            kl: 25.5,
        };
        EpochMetrics {
            epoch: 3280,
            step: 1,
            train: losses,
            test: losses,
            validation: None,
            data_treatment: DataTreatment::Grey,
            learning_rate: None,
            seconds: 1.0,
            images_per_second: 1.0,
        }
    }

    #[test]
    fn a_line_names_what_a_model_has() {
        let line = |kind| epoch_line(&metrics(150.25), 3280, Some(kind));
        assert_eq!(
            line(ModelKind::Vae),
            "epoch 3280/3280  test loss 150.25 (KL 25.50)"
        );
        assert_eq!(line(ModelKind::Ae), "epoch 3280/3280  test loss 150.25");
        assert!(line(ModelKind::AeL2).ends_with("(½‖z‖² 25.50)"));
    }

    #[test]
    fn time_is_left_only_where_it_is_known_and_some() {
        let second = Duration::from_secs(1);
        assert_eq!(time_left(0, Some(10), second), "");
        assert_eq!(time_left(10, Some(10), second), "");
        assert_eq!(time_left(5, Some(10), Duration::from_millis(400)), "");
        assert_eq!(time_left(5, Some(10), 12 * second), "  12s left");
    }

    #[test]
    fn a_bar_fits_80_columns_and_leaves_nothing_behind() {
        let terminal = indicatif::InMemoryTerm::new(24, 80);
        let target = ProgressDrawTarget::term_like(Box::new(terminal.clone()));
        let bar = ProgressBar::with_draw_target(Some(PARTS), target);
        bar.set_style(style(TRAINING_BAR));
        bar.set_prefix("[17/17] vae-2d-deep seed 4  ");
        bar.set_position(PARTS / 2);
        bar.set_message(epoch_line(&metrics(15_000.25), 3280, Some(ModelKind::Vae)));
        bar.tick();
        let drawn = terminal.contents();
        assert_eq!(drawn.lines().count(), 1, "{drawn}");
        assert!(drawn.contains("test loss 15000.25"), "{drawn}");
        bar.finish_and_clear();
        assert_eq!(terminal.contents(), "");
    }
}
