//! Progress of long work: a bar on a terminal, a line per epoch when piped.

use std::time::Duration;

use atlas::run_folder::EpochMetrics;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::Output;

/// Shows the training of one model.
pub(crate) struct TrainingProgress {
    output: Output,
    bar: ProgressBar,
    prefix: String,
}

impl TrainingProgress {
    /// Starts at `epoch` of `epochs`, naming the run when there are several.
    pub(crate) fn new(output: Output, prefix: &str, epochs: usize) -> Self {
        let bar = ProgressBar::new(epochs as u64);
        bar.set_draw_target(if output.is_interactive() {
            ProgressDrawTarget::stderr_with_hz(10)
        } else {
            ProgressDrawTarget::hidden()
        });
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

impl atlas::training::Observer for TrainingProgress {
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

/// Shows how many of several pieces of work are done.
pub(crate) struct StepProgress {
    output: Output,
    bar: ProgressBar,
}

impl StepProgress {
    pub(crate) fn new(output: Output) -> Self {
        let bar = ProgressBar::new(0);
        bar.set_draw_target(if output.is_interactive() {
            ProgressDrawTarget::stderr_with_hz(10)
        } else {
            ProgressDrawTarget::hidden()
        });
        bar.set_style(
            ProgressStyle::with_template("{bar:32} {pos}/{len}  {msg}  {elapsed} elapsed")
                .expect("the template is well formed"),
        );
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { output, bar }
    }

    /// `done` of `total` pieces are finished and `what` comes next.
    pub(crate) fn at(&self, done: usize, total: usize, what: &str) {
        if self.output.is_interactive() {
            self.bar.set_length(total as u64);
            self.bar.set_position(done as u64);
            self.bar.set_message(what.to_owned());
        } else {
            self.output.note(&format!("[{done}/{total}] {what}"));
        }
    }
}

impl Drop for StepProgress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
