//! Progress of long work: a bar on a terminal, a line per epoch when piped.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use runs::run_folder::EpochMetrics;

use crate::output::Output;

/// Shows the training of one model.
pub(crate) struct TrainingProgress {
    output: Output,
    bar: ProgressBar,
    prefix: String,
}

impl TrainingProgress {
    /// The only run.
    pub(crate) fn new(output: Output, epochs: usize) -> Self {
        Self::among(&MultiProgress::new(), output, "", epochs)
    }

    /// One of several runs, each with its own bar and `prefix`.
    pub(crate) fn among(bars: &MultiProgress, output: Output, prefix: &str, epochs: usize) -> Self {
        bars.set_draw_target(if output.is_interactive() {
            ProgressDrawTarget::stderr_with_hz(10)
        } else {
            ProgressDrawTarget::hidden()
        });
        let bar = bars.add(ProgressBar::new(epochs as u64));
        bar.set_style(
            ProgressStyle::with_template(
                "{prefix}{bar:32} epoch {pos}/{len}  {msg}  {elapsed} elapsed, {eta} left",
            )
            .expect("the template is well formed"),
        );
        bar.set_prefix(prefix.to_owned());
        bar.enable_steady_tick(Duration::from_millis(200));
        Self {
            output,
            bar,
            prefix: prefix.to_owned(),
        }
    }
}

impl TrainingProgress {
    /// A line about the work, above the bar where there is one.
    fn say(&self, line: &str) {
        if self.output.is_interactive() {
            self.bar.println(format!("{}{line}", self.prefix));
        } else {
            self.output.note(&format!("{}{line}", self.prefix));
        }
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

    fn began(&mut self, statement: &str) {
        self.say(statement);
    }

    fn resumed(&mut self, epochs: usize) {
        self.bar.set_position(epochs as u64);
        self.bar.reset_eta();
    }

    fn epoch(&mut self, metrics: &EpochMetrics, epochs: usize) {
        let message = format!(
            "test loss {:.2} (reconstruction {:.2}, KL {:.2})",
            metrics.test.loss, metrics.test.reconstruction, metrics.test.kl
        );
        if self.output.is_interactive() {
            self.bar.set_message(message);
            self.bar.set_position(metrics.epoch as u64);
        } else {
            self.output.note(&format!(
                "{}epoch {}/{epochs}  train loss {:.2}  {message}  {:.0} images/s",
                self.prefix, metrics.epoch, metrics.train.loss, metrics.images_per_second
            ));
        }
    }

    fn finished(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Shows how many images of a long evaluation are done: a bar on a terminal,
/// a line per tenth when piped.
pub(crate) struct ImageProgress {
    output: Output,
    bar: ProgressBar,
    images: AtomicUsize,
    done: AtomicUsize,
}

impl ImageProgress {
    pub(crate) fn new(output: Output) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        bar.set_style(
            ProgressStyle::with_template(
                "{bar:32} {pos}/{len} images  {elapsed} elapsed, {eta} left",
            )
            .expect("the template is well formed"),
        );
        Self {
            output,
            bar,
            images: AtomicUsize::new(0),
            done: AtomicUsize::new(0),
        }
    }
}

impl runs::report::Observer for ImageProgress {
    fn sampling(&self, images: usize) {
        if self.output.is_interactive() {
            self.bar
                .set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
        }
        self.bar.set_length(images as u64);
        self.images.store(images, Ordering::Relaxed);
    }

    fn sampled(&self) {
        self.bar.inc(1);
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        let all = self.images.load(Ordering::Relaxed);
        if done == all {
            self.bar.finish_and_clear();
        } else if !self.output.is_interactive() && done.is_multiple_of(all.div_ceil(10)) {
            self.output
                .note(&format!("importance sampling: {done} of {all} images"));
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
        bar.set_style(
            ProgressStyle::with_template(
                "{bar:32} {pos}/{len} rows  {elapsed} elapsed, {eta} left",
            )
            .expect("the template is well formed"),
        );
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
