//! What several threads pass from core to core in a training step, without its
//! arithmetic: memory is read and written as a step does, and nothing else.
//!
//! ```text
//! cargo run --release -p tensor-ops --example what_a_step_moves [THREADS]...
//! ```
//!
//! Threads that own panels read and write their own weights and moments, and read
//! the activations and partial input gradients that the others have written.
//! Threads that own rows read all weights, of which the others have just written
//! theirs. Bytes that cross are those that a thread reads and another wrote last.

#![allow(clippy::print_stdout)] // what it finds is for whoever runs it

use std::hint::black_box;
use std::time::Instant;

use tensor_ops::parallel::{Barrier, Exchange, ThreadPool};

/// Hidden units and rows of a batch: 784-WIDTH-2, whose two large matrices have as
/// many weights each.
const CASES: [(usize, usize); 3] = [(256, 128), (512, 256), (200, 20)];

const PIXELS: usize = 784;

/// Steps that are timed together, the best of so many times.
const STEPS: usize = 200;
const ROUNDS: usize = 7;

struct Step {
    width: usize,
    rows: usize,
    threads: usize,
    /// Weights and both moments of both matrices.
    parameters: [Exchange<f32>; 3],
    pixels: Exchange<f32>,
    hidden: [Exchange<f32>; 2],
    /// The parts of the gradient by the decoder's hidden units.
    partials: Vec<Exchange<f32>>,
}

impl Step {
    fn new(width: usize, rows: usize, threads: usize) -> Self {
        let zeroed = Exchange::zeroed;
        Self {
            width,
            rows,
            threads,
            parameters: [(); 3].map(|()| zeroed(2 * PIXELS * width)),
            pixels: zeroed(rows * PIXELS),
            hidden: [(); 2].map(|()| zeroed(rows * width)),
            partials: (0..threads).map(|_| zeroed(rows * width)).collect(),
        }
    }

    /// Values of others that a thread reads in a step.
    fn crossing(&self, by_panels: bool) -> f64 {
        let others = (self.threads - 1) as f64 / self.threads as f64;
        let (rows, weights) = (self.rows as f64, 2.0 * (PIXELS * self.width) as f64);
        let hidden = 2.0 * rows * self.width as f64;
        if by_panels {
            let partials = rows * self.width as f64;
            others * (rows * PIXELS as f64 + hidden + partials)
        } else {
            others * (weights + rows * PIXELS as f64 + hidden)
        }
    }

    fn share(&self, len: usize, thread: usize) -> std::ops::Range<usize> {
        let lines = len / 16;
        lines * thread / self.threads * 16..lines * (thread + 1) / self.threads * 16
    }

    fn by_panels(&self, thread: usize, barrier: &Barrier<'_>) {
        self.write(&self.pixels, thread);
        barrier.wait();
        read(&self.pixels);
        self.read_own(&self.parameters[0], thread);
        for hidden in &self.hidden {
            self.write(hidden, thread);
            barrier.wait();
            read(hidden);
        }
        self.read_own(&self.parameters[0], thread);
        // SAFETY: the thread's own partial; nobody reads before the barrier.
        unsafe { self.partials[thread].part(0..self.rows * self.width) }.fill(1.0);
        barrier.wait();
        for partial in &self.partials {
            let own = self.share(partial.len(), thread);
            // SAFETY: nobody writes before the next step's barriers.
            look_at(unsafe { partial.read(own) });
        }
        self.update(thread);
        barrier.wait();
    }

    fn by_rows(&self, thread: usize, barrier: &Barrier<'_>) {
        self.write(&self.pixels, thread);
        read(&self.parameters[0]);
        self.hidden
            .iter()
            .for_each(|hidden| self.write(hidden, thread));
        read(&self.parameters[0]);
        barrier.wait();
        read(&self.pixels);
        self.hidden.iter().for_each(read);
        self.update(thread);
        barrier.wait();
    }

    /// The update of the thread's own parameters.
    fn update(&self, thread: usize) {
        for array in &self.parameters {
            let own = self.share(array.len(), thread);
            // SAFETY: the shares are disjoint, and a barrier follows before others
            // read.
            for value in unsafe { array.part(own) } {
                *value = 0.5 * *value + 1.0;
            }
        }
    }

    fn write(&self, array: &Exchange<f32>, thread: usize) {
        // SAFETY: the shares are disjoint, and a barrier follows before others read.
        unsafe { array.part(self.share(array.len(), thread)) }.fill(1.0);
    }

    fn read_own(&self, array: &Exchange<f32>, thread: usize) {
        let own = self.share(array.len(), thread);
        // SAFETY: only this thread writes its share.
        look_at(unsafe { array.read(own) });
    }
}

/// Reads all elements.
fn read(array: &Exchange<f32>) {
    // SAFETY: a barrier lies between the last writing and this.
    look_at(unsafe { array.read(0..array.len()) });
}

/// Loads values, as fast as they come: sums that do not wait for each other.
fn look_at(values: &[f32]) {
    let mut sums = [0.0; 64];
    for values in values.as_chunks::<64>().0 {
        for (sum, value) in sums.iter_mut().zip(values) {
            *sum += value;
        }
    }
    black_box(sums);
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let cores = std::thread::available_parallelism()?.get();
    let mut counts = Vec::new();
    for argument in std::env::args().skip(1) {
        counts.push(argument.parse()?);
    }
    if counts.is_empty() {
        counts = vec![1, 2, cores];
        counts.dedup();
    }
    println!("threads of {cores} cores; microseconds a step, and kilobytes that cross to each");
    for (width, rows) in CASES {
        for &threads in &counts {
            let pool = ThreadPool::new(threads)?;
            let step = Step::new(width, rows, threads);
            let time = |by_panels: bool| {
                let steps = |_: usize| {
                    let began = Instant::now();
                    pool.together(&mut vec![(); threads], |thread, (), barrier| {
                        for _ in 0..STEPS {
                            if by_panels {
                                step.by_panels(thread, barrier);
                            } else {
                                step.by_rows(thread, barrier);
                            }
                        }
                    });
                    began.elapsed().as_secs_f64() * 1e6 / STEPS as f64
                };
                (0..ROUNDS).map(steps).fold(f64::INFINITY, f64::min)
            };
            let kilobytes = |by_panels| step.crossing(by_panels) * 4.0 / 1e3;
            println!(
                "784-{width}-2, batch {rows}, {threads} threads: panels {:.0} us, {:.0} kB; \
                 rows {:.0} us, {:.0} kB",
                time(true),
                kilobytes(true),
                time(false),
                kilobytes(false)
            );
        }
    }
    Ok(())
}
