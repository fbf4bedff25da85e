//! Every value of a graph with what made it, for what is done with the outputs of
//! layers.

use models::Standardisation;

/// The values of a graph, each behind those it is made of.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trace {
    values: Vec<Value>,
    /// What the graph gives back.
    pub(crate) outputs: Vec<usize>,
    /// What each layer takes.
    pub(crate) taken: Vec<usize>,
}

/// What made a value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Made {
    Input,
    Random,
    /// The one number that all are, or the numbers along the one axis that is longer
    /// than 1; of others none.
    Constant(Vec<f32>),
    /// The outputs of a layer.
    Layer(usize),
    /// Some of them: the first, and the one behind the last.
    Part(usize, [usize; 2]),
    /// An operator.
    By(String),
}

/// What a graph makes of a decoder's outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum End {
    /// They are its own.
    Identity,
    Sigmoid,
    /// The mean that our own graphs compute of logits.
    ContinuousBernoulli,
}

/// What a graph makes of a decoder's outputs, and in which units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ending {
    pub(crate) end: End,
    /// Whether they are brought back by the inverse of what the input is standardised
    /// by.
    pub(crate) is_brought_back: bool,
}

/// A decoder's last layer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Last {
    pub(crate) layer: usize,
    /// Values of a row.
    pub(crate) inputs: usize,
    /// Whether ln σ of each value follows their means.
    pub(crate) is_doubled: bool,
}

#[derive(Clone, Debug)]
struct Value {
    made: Made,
    /// What it is made of; of a layer's outputs nothing.
    of: Vec<usize>,
}

impl Trace {
    /// Adds a value, and gives its index.
    pub(crate) fn push(&mut self, made: Made, of: Vec<usize>) -> usize {
        self.values.push(Value { made, of });
        self.values.len() - 1
    }

    pub(crate) fn made(&self, value: usize) -> &Made {
        &self.values[value].made
    }

    /// What a value is made of, where an operator of this name made it.
    pub(crate) fn by(&self, value: usize, operator: &str) -> Option<&[usize]> {
        let value = &self.values[value];
        matches!(&value.made, Made::By(made) if made == operator).then_some(value.of.as_slice())
    }

    /// The two that an operator without order makes a value of, either way round.
    pub(crate) fn pairs(&self, value: usize, operator: &str) -> Vec<[usize; 2]> {
        match self.by(value, operator) {
            Some(&[one, other]) => vec![[one, other], [other, one]],
            _ => Vec::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    /// Which values are made, without another layer between, of one that `is_source`.
    pub(crate) fn made_of(&self, is_source: impl Fn(usize, &Made) -> bool) -> Vec<bool> {
        let mut found: Vec<bool> = Vec::with_capacity(self.values.len());
        for (index, value) in self.values.iter().enumerate() {
            found.push(is_source(index, &value.made) || value.of.iter().any(|&of| found[of]));
        }
        found
    }

    /// Which values are made of something random, or of an input that the layer
    /// `first` does not take.
    pub(crate) fn noise(&self, first: Option<usize>) -> Vec<bool> {
        let rows = self.makes(first.and_then(|first| self.taken.get(first).copied()));
        self.made_of(|index, made| match made {
            Made::Random => true,
            Made::Input => !rows[index],
            _ => false,
        })
    }

    /// What follows a decoder's last layer in the outputs of the graph.
    ///
    /// # Errors
    /// The operators that follow it, where no model has them there.
    pub(crate) fn end(
        &self,
        last: Last,
        standardisation: Option<&Standardisation>,
    ) -> Result<Ending, Vec<String>> {
        let of_last = self.made_of(|_, made| match made {
            Made::Layer(layer) | Made::Part(layer, _) => *layer == last.layer,
            _ => false,
        });
        let mut ending = None;
        for &output in self.outputs.iter().filter(|&&output| of_last[output]) {
            if last.is_doubled && self.is_sigma(output, last, standardisation) {
                continue;
            }
            let standardised = self.standardised(output, standardisation);
            let mean = standardised.unwrap_or(output);
            let end = if self.is_mean(mean, last) {
                End::Identity
            } else if matches!(self.by(mean, "Sigmoid"), Some(&[of]) if self.is_mean(of, last)) {
                End::Sigmoid
            } else if self.is_continuous_bernoulli(mean, &of_last) {
                End::ContinuousBernoulli
            } else {
                return Err(self.operators(output, &of_last));
            };
            // One that also gives its logits tells what becomes of them.
            ending = ending.max(Some(Ending {
                end,
                is_brought_back: standardised.is_some(),
            }));
        }
        ending.ok_or_else(Vec::new)
    }

    /// The values of a second graph behind these.
    pub(crate) fn join(&mut self, other: Self, layers: usize) {
        let offset = self.values.len();
        self.values
            .extend(other.values.into_iter().map(|value| Value {
                made: match value.made {
                    Made::Layer(layer) => Made::Layer(layer + layers),
                    Made::Part(layer, range) => Made::Part(layer + layers, range),
                    made => made,
                },
                of: value.of.into_iter().map(|of| of + offset).collect(),
            }));
        let moved = |indices: Vec<usize>| indices.into_iter().map(move |value| value + offset);
        self.outputs.extend(moved(other.outputs));
        self.taken.extend(moved(other.taken));
    }

    /// Which values another is made of, itself among them.
    fn makes(&self, value: Option<usize>) -> Vec<bool> {
        let mut found = vec![false; self.values.len()];
        let Some(value) = value else { return found };
        found[value] = true;
        for index in (0..=value).rev() {
            if found[index] {
                for &of in &self.values[index].of {
                    found[of] = true;
                }
            }
        }
        found
    }

    fn is_mean(&self, value: usize, last: Last) -> bool {
        match self.values[value].made {
            Made::Layer(layer) => layer == last.layer,
            Made::Part(layer, range) => {
                last.is_doubled && layer == last.layer && range == [0, last.inputs]
            }
            _ => false,
        }
    }

    /// Whether a value is ln σ, or σ, or that in the units of the data.
    fn is_sigma(&self, value: usize, last: Last, units: Option<&Standardisation>) -> bool {
        let is_log = |value: usize| {
            let range = [last.inputs, 2 * last.inputs];
            self.values[value].made == Made::Part(last.layer, range)
        };
        let is_sigma = |value| matches!(self.by(value, "Exp"), Some(&[of]) if is_log(of));
        let mut in_units = self.pairs(value, "Mul").into_iter();
        is_log(value)
            || is_sigma(value)
            || in_units.any(|[sigma, by]| {
                is_sigma(sigma) && units.is_some_and(|units| self.is_all(by, units.deviation()))
            })
    }

    /// What is brought back into the units of the data in a value.
    fn standardised(&self, value: usize, units: Option<&Standardisation>) -> Option<usize> {
        let units = units?;
        let mut sums = self.pairs(value, "Add").into_iter();
        let [spread, _] = sums.find(|&[_, mean]| self.is_all(mean, units.mean()))?;
        let mut products = self.pairs(spread, "Mul").into_iter();
        let [standardised, _] =
            products.find(|&[_, deviation]| self.is_all(deviation, units.deviation()))?;
        Some(standardised)
    }

    /// Whether a value is these numbers, or the one that all of them are.
    pub(crate) fn is_all(&self, value: usize, numbers: &[f32]) -> bool {
        match &self.values[value].made {
            Made::Constant(found) => match found.as_slice() {
                [one] => numbers.iter().all(|number| number == one),
                several => several == numbers,
            },
            _ => false,
        }
    }

    /// Operators that a value is made by behind the last layers before it, in their
    /// order.
    pub(crate) fn operators_to(&self, value: usize) -> Vec<String> {
        let makes = self.makes(Some(value));
        self.names(|index| makes[index])
    }

    /// Operators between the last layer and an output, in their order.
    fn operators(&self, output: usize, of_last: &[bool]) -> Vec<String> {
        let makes = self.makes(Some(output));
        self.names(|index| makes[index] && of_last[index])
    }

    /// What made the values that `is_among`.
    fn names(&self, is_among: impl Fn(usize) -> bool) -> Vec<String> {
        /// More tell no more.
        const MOST: usize = 20;

        let values = self.values.iter().enumerate();
        let among = values.filter(|(index, _)| is_among(*index));
        let names = among.filter_map(|(_, value)| match &value.made {
            Made::By(operator) => Some(operator.clone()),
            Made::Part(..) => Some("a part of its outputs".into()),
            _ => None,
        });
        let mut names: Vec<String> = names.take(MOST).collect();
        names.dedup();
        names
    }

    /// Whether a value is computed of a layer as in [`CONTINUOUS_BERNOULLI`].
    fn is_continuous_bernoulli(&self, value: usize, of_last: &[bool]) -> bool {
        let makes = self.makes(Some(value));
        let steps: Vec<usize> = (0..=value)
            .filter(|&index| makes[index] && of_last[index])
            .collect();
        let Some((&logits, steps)) = steps.split_first() else {
            return false;
        };
        let is_operand = |&of: &usize, operand: &Operand| match operand {
            Logits => of == logits,
            Step(index) => steps.get(*index) == Some(&of),
            Number(number) => self.is_all(of, &[*number]),
        };
        matches!(self.values[logits].made, Made::Layer(_))
            && steps.len() == CONTINUOUS_BERNOULLI.len()
            && steps
                .iter()
                .zip(CONTINUOUS_BERNOULLI)
                .all(|(&step, (operator, operands))| {
                    self.by(step, operator).is_some_and(|of| {
                        of.len() == operands.len()
                            && of.iter().zip(operands).all(|(of, it)| is_operand(of, it))
                    })
                })
    }
}

/// What a step of a form takes.
enum Operand {
    Logits,
    /// The result of another, by its index.
    Step(usize),
    Number(f32),
}

use Operand::{Logits, Number, Step};

/// E\[x\] of a continuous Bernoulli as `export --format onnx` writes it: a series
/// around 0, and elsewhere what does not overflow.
const CONTINUOUS_BERNOULLI: [(&str, &[Operand]); 25] = [
    ("Clip", &[Logits, Number(-1.0), Number(1.0)]),
    ("Mul", &[Step(0), Step(0)]),
    ("Mul", &[Step(1), Number((1.0_f64 / 47_900_160.0) as f32)]),
    ("Add", &[Step(2), Number((-1.0_f64 / 1_209_600.0) as f32)]),
    ("Mul", &[Step(1), Step(3)]),
    ("Add", &[Step(4), Number((1.0_f64 / 30_240.0) as f32)]),
    ("Mul", &[Step(1), Step(5)]),
    ("Add", &[Step(6), Number((-1.0_f64 / 720.0) as f32)]),
    ("Mul", &[Step(1), Step(7)]),
    ("Add", &[Step(8), Number((1.0_f64 / 12.0) as f32)]),
    ("Mul", &[Step(0), Step(9)]),
    ("Add", &[Step(10), Number(0.5)]),
    ("Abs", &[Logits]),
    ("Max", &[Step(12), Number(1.0)]),
    ("Neg", &[Step(13)]),
    ("Exp", &[Step(14)]),
    ("Sub", &[Number(1.0), Step(15)]),
    ("Div", &[Step(15), Step(16)]),
    ("Div", &[Number(1.0), Step(13)]),
    ("Sub", &[Step(18), Step(17)]),
    ("Sub", &[Number(1.0), Step(19)]),
    ("Greater", &[Logits, Number(0.0)]),
    ("Where", &[Step(21), Step(20), Step(19)]),
    ("Less", &[Step(12), Number(1.0)]),
    ("Where", &[Step(23), Step(11), Step(22)]),
];
