//! The report as a person reads it.

use std::fmt;

use super::{Form, GemmRow, Report, Surroundings};

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let environment = &self.environment;
        writeln!(f, "machine: {}", self.machine)?;
        writeln!(f, "instruction set: {}", environment.instruction_set)?;
        for (threads, gflops) in self.fma_peak_gflops.iter() {
            writeln!(f, "FMA peak, {}: {gflops:.1} GFLOP/s", plural(threads))?;
        }
        if let (Some(dataset), Some(images)) = (&self.dataset, self.images) {
            writeln!(f, "data set: {dataset}, {images} training images")?;
        }
        self.gemm_table(f)?;
        self.vector_table(f)?;
        self.likelihood_table(f)?;
        self.training_table(f)?;
        self.waits_table(f)?;
        self.peer_table(f)
    }
}

impl Report {
    fn gemm_table(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.gemm.is_empty() {
            return Ok(());
        }
        writeln!(
            f,
            "\nLayer products: GFLOP/s and share of peak\n{:<16}{:<10}{:>17}{:>17}{:>17}",
            "rows×in×out",
            "threads",
            Form::Forward,
            Form::InputGradient,
            Form::WeightGradient
        )?;
        let mut rows = self.gemm.as_slice();
        while let Some(first) = rows.first() {
            let key = |row: &GemmRow| (row.m, row.k, row.n, row.threads);
            let same = rows.iter().take_while(|row| key(row) == key(first)).count();
            let (line, rest) = rows.split_at(same);
            let shape = format!("{}×{}×{}", first.m, first.k, first.n);
            write!(f, "{shape:<16}{:<10}", first.threads)?;
            for form in Form::ALL {
                match line.iter().find(|row| row.form == form) {
                    Some(row) => {
                        write!(f, "{:>10.1}{:>7}", row.gflops, percent(row.share_of_peak))?
                    }
                    None => write!(f, "{:>17}", "")?,
                }
            }
            writeln!(f)?;
            rows = rest;
        }
        Ok(())
    }

    fn vector_table(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.vector.is_empty() {
            return Ok(());
        }
        writeln!(
            f,
            "\nElementwise work on one thread\n{:<24}{:>14}{:>22}",
            "function", "ns an element", "10⁹ elements a second"
        )?;
        for row in &self.vector {
            writeln!(
                f,
                "{:<24}{:>14.3}{:>22.3}",
                row.function,
                row.nanoseconds_per_element,
                row.elements_per_second / 1e9
            )?;
        }
        Ok(())
    }

    fn likelihood_table(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.likelihood.is_empty() {
            return Ok(());
        }
        writeln!(
            f,
            "\nImportance sampling of −log p(x)\n{:<16}{:>9}{:>9}{:>12}{:>18}{:>9}{:>7}",
            "architecture", "samples", "threads", "ms/image", "s/10,000 images", "GFLOP/s", "peak"
        )?;
        for row in &self.likelihood {
            writeln!(
                f,
                "{:<16}{:>9}{:>9}{:>12.2}{:>18.1}{:>9.1}{:>7}",
                row.architecture,
                row.samples,
                row.threads,
                1e3 * row.seconds_per_image,
                1e4 * row.seconds_per_image,
                row.gflops,
                percent(row.share_of_peak)
            )?;
        }
        Ok(())
    }

    fn training_table(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.training.is_empty() {
            writeln!(
                f,
                "\nTraining in strict f32: the fastest of several whole epochs\n{:<16}{:>6}{:>7}{:>9}{:>7}{:>10}{:>10}{:>12}{:>9}{:>7}{:>10}{:>7}{:>9}{:>9}  quartiles",
                "architecture",
                "act.",
                "batch",
                "threads",
                "grad.",
                "s/epoch",
                "median",
                "images/s",
                "GFLOP/s",
                "peak",
                "executed",
                "bound",
                "speedup",
                "of hand"
            )?;
        }
        for row in &self.training {
            let [lower, _, upper] = row.spread.quartiles;
            writeln!(
                f,
                "{:<16}{:>6}{:>7}{:>9}{:>7}{:>10.3}{:>10.3}{:>12.0}{:>9.1}{:>7}{:>10}{:>7}{:>9.2}{:>9.2}  {lower:.3}–{upper:.3}{}",
                row.architecture,
                row.activation,
                row.batch,
                row.threads,
                row.gradients,
                row.seconds_per_epoch,
                row.median_seconds_per_epoch,
                row.images_per_second,
                row.gflops,
                percent(row.share_of_peak),
                percent(row.executed_share_of_peak),
                percent(row.share_of_bound),
                row.speedup,
                row.ratio_to_hand,
                noise(row.spread.is_noisy)
            )?;
        }
        if let (Some(rates), false) = (&self.elementwise, self.training.is_empty()) {
            writeln!(
                f,
                "peak: operations counted as dense; executed: without those that zeros spare;\n\
                 bound: the time of those at the peak, of Adam at {:.1} cycles a line of 16 and of \
                 the loss at {:.2} ns a pixel",
                rates.adam_cycles_per_line, rates.loss_nanoseconds
            )?;
        }
        if let Some(seconds) = self.seconds_to_first_step {
            writeln!(
                f,
                "\nfrom the start of `train` (784-256-2) to its first step: {seconds:.3} s"
            )?;
        }
        if let Some(memory) = self.peak_memory_mb {
            writeln!(f, "peak memory of that run: {memory:.0} MB")?;
        }
        Ok(())
    }

    fn waits_table(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.waits.is_empty() {
            return Ok(());
        }
        writeln!(
            f,
            "\nThreads where cores are short: seconds an epoch over those of one thread, in turn\n{:<16}{:>6}  {:<24}{:>8}{:>11}{:>11}{:>9}  quartiles",
            "architecture", "batch", "surroundings", "threads", "ms", "ms of one", "ratio"
        )?;
        for row in &self.waits {
            let [lower, ratio, upper] = row.ratio_quartiles;
            writeln!(
                f,
                "{:<16}{:>6}  {:<24}{:>8}{:>11.1}{:>11.1}{:>9.2}  {:.2}–{:.2}",
                row.architecture,
                row.batch,
                row.surroundings.to_string(),
                row.threads,
                1e3 * row.seconds_per_epoch,
                1e3 * row.seconds_on_one_thread,
                ratio,
                lower,
                upper
            )?;
        }
        Ok(())
    }

    fn peer_table(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.peers.is_empty() {
            writeln!(
                f,
                "\nPeers in turn with this program in strict f32: seconds of the best epoch\n{:<16}{:>7}{:>9}  {:<35}{:<12}{:>9}{:>9}{:>9}{:>12}  quartiles of both",
                "architecture",
                "batch",
                "threads",
                "peer",
                "products",
                "peer",
                "ours",
                "ratio",
                "of medians"
            )?;
        }
        for row in &self.peers {
            let ([lower, _, upper], [least, _, most]) =
                (row.spread.quartiles, row.our_spread.quartiles);
            writeln!(
                f,
                "{:<16}{:>7}{:>9}  {:<35}{:<12}{:>9.3}{:>9.3}{:>9.2}{:>12.2}  {lower:.3}–{upper:.3}, {least:.3}–{most:.3}{}",
                row.architecture,
                row.batch,
                row.threads,
                format!("{} {}", row.name, row.version),
                row.products.to_string(),
                row.seconds_per_epoch,
                row.our_seconds_per_epoch,
                row.ratio,
                row.ratio_of_medians,
                noise(row.spread.is_noisy || row.our_spread.is_noisy)
            )?;
        }
        if !self.unavailable.is_empty() {
            writeln!(f)?;
        }
        for peer in &self.unavailable {
            writeln!(f, "{peer}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Beside(0) => f.write_str("alone"),
            Self::Beside(busy) => write!(f, "beside {busy} busy"),
            Self::OneCore => f.write_str("all on one core"),
        }
    }
}

impl fmt::Display for super::Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} not measured: {}", self.name, self.reason)
    }
}

/// What stands behind a row whose epochs lie too far apart.
fn noise(is_noisy: bool) -> &'static str {
    if is_noisy {
        "  noisy: not a result"
    } else {
        ""
    }
}

fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

fn plural(threads: usize) -> String {
    if threads == 1 {
        "1 thread".into()
    } else {
        format!("{threads} threads")
    }
}
