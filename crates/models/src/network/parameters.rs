//! The flat parameter buffer and its exchange with named tensors.

use std::collections::BTreeMap;
use std::sync::Arc;

use tensor_ops::Float;
use thiserror::Error;

use crate::network::layout::{Layout, TensorSlot};
use tensor_ops::AlignedBuffer;

/// A tensor under its PyTorch name, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedTensor<T> {
    /// PyTorch name.
    pub name: String,
    /// `[out, in]` or `[out]`.
    pub shape: Vec<usize>,
    /// Row-major values.
    pub values: Vec<T>,
}

/// Values laid out as a model's parameters: the parameters themselves, their
/// gradient, or an optimiser moment.
///
/// The padding lanes of every panel are zero and stay zero, because the
/// gradient of a padding lane is zero.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameters<T: Float> {
    layout: Arc<Layout>,
    values: AlignedBuffer<T>,
}

impl<T: Float> Parameters<T> {
    /// All zeros.
    pub fn zeros(layout: Arc<Layout>) -> Self {
        let values = AlignedBuffer::zeroed(layout.len());
        Self { layout, values }
    }

    /// Parameters from named tensors in PyTorch's layout.
    ///
    /// # Errors
    /// A tensor that is missing, unknown or given twice, of another shape, or
    /// holding a NaN or an infinity.
    pub fn from_named_tensors(
        layout: Arc<Layout>,
        tensors: impl IntoIterator<Item = NamedTensor<T>>,
    ) -> Result<Self, TensorError> {
        let mut given = BTreeMap::new();
        for tensor in tensors {
            if layout.tensors().iter().all(|slot| slot.name != tensor.name)
                || given.contains_key(&tensor.name)
            {
                return Err(TensorError::Unexpected(tensor.name));
            }
            given.insert(tensor.name.clone(), tensor);
        }
        // A file may state any widths: nothing of them is allocated before the
        // tensors have shown that they are there.
        for slot in layout.tensors() {
            let missing = || TensorError::Missing {
                name: slot.name.clone(),
                expected: slot.shape.clone(),
            };
            given.get(&slot.name).ok_or_else(missing)?.check(slot)?;
        }
        let mut parameters = Self::zeros(layout.clone());
        for slot in layout.tensors() {
            layout.import(slot, &given[&slot.name].values, &mut parameters.values);
        }
        Ok(parameters)
    }

    /// The tensors under their PyTorch names, in forward order.
    pub fn named_tensors(&self) -> Vec<NamedTensor<T>> {
        let tensors = self.layout.tensors().iter();
        tensors
            .map(|slot| NamedTensor {
                name: slot.name.clone(),
                shape: slot.shape.clone(),
                values: self.layout.export(slot, &self.values),
            })
            .collect()
    }

    /// The layout of the buffer.
    pub fn layout(&self) -> &Arc<Layout> {
        &self.layout
    }

    /// The flat buffer.
    pub fn as_slice(&self) -> &[T] {
        &self.values
    }

    /// The flat buffer, mutable. Padding must stay zero.
    pub fn as_mut_slice(&mut self) -> &mut [T] {
        &mut self.values
    }

    /// W of a layer, in panels.
    pub fn weight(&self, layer: usize) -> &[T] {
        &self.values[self.layout.layers()[layer].weight.clone()]
    }

    /// b of a layer, padded to whole panels.
    pub fn bias(&self, layer: usize) -> &[T] {
        &self.values[self.layout.layers()[layer].bias.clone()]
    }

    /// The same values in another precision.
    pub fn cast<U: Float>(&self) -> Parameters<U> {
        let mut cast = Parameters::zeros(self.layout.clone());
        for (to, from) in cast.values.iter_mut().zip(self.values.iter()) {
            *to = U::from_f64(from.to_f64());
        }
        cast
    }

    /// Name of the first tensor, in forward order, that holds a NaN or an
    /// infinity.
    pub fn first_non_finite(&self) -> Option<&str> {
        if self.values.iter().all(|value| value.is_finite()) {
            return None;
        }
        let offends = |slot: &&TensorSlot| {
            self.layout
                .export(slot, &self.values)
                .iter()
                .any(|value| !value.is_finite())
        };
        self.layout
            .tensors()
            .iter()
            .find(offends)
            .map(|slot| slot.name.as_str())
    }
}

impl<T: Float> NamedTensor<T> {
    fn check(&self, slot: &TensorSlot) -> Result<(), TensorError> {
        if self.shape != slot.shape || self.values.len() != slot.shape.iter().product::<usize>() {
            return Err(TensorError::Shape {
                name: slot.name.clone(),
                found: self.shape.clone(),
                expected: slot.shape.clone(),
            });
        }
        if let Some(index) = self.values.iter().position(|value| !value.is_finite()) {
            let value = self.values[index].to_f64();
            return Err(TensorError::NotFinite {
                name: slot.name.clone(),
                index,
                value,
            });
        }
        Ok(())
    }
}

/// Named tensors that do not fit the model.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum TensorError {
    /// A tensor of the model is not there.
    #[error("tensor {name} is missing; expected it with shape {expected:?}")]
    Missing {
        /// Its name.
        name: String,
        /// Its shape.
        expected: Vec<usize>,
    },
    /// A tensor the model has not, or has only once.
    #[error(
        "tensor {} is unknown to this model or given twice; expected exactly the tensors of its architecture",
        .0.escape_debug()
    )]
    Unexpected(String),
    /// A tensor of other numbers.
    #[error("tensor {} holds {found}, expected {expected}", name.escape_debug())]
    Type {
        /// Its name.
        name: String,
        /// The type found, as in `F64`.
        found: String,
        /// The type the model has.
        expected: String,
    },
    /// A tensor of another shape.
    #[error("tensor {name} has shape {found:?}; expected {expected:?}")]
    Shape {
        /// Its name.
        name: String,
        /// The shape found.
        found: Vec<usize>,
        /// The shape of the architecture.
        expected: Vec<usize>,
    },
    /// A NaN or an infinity.
    #[error("tensor {name} holds {value} at index {index}; expected finite values only")]
    NotFinite {
        /// Its name.
        name: String,
        /// Row-major index of the first offending element.
        index: usize,
        /// The element.
        value: f64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::layout::tests::layout;
    use crate::spec::ModelKind;

    /// Tensors whose values all differ.
    fn tensors() -> (Arc<Layout>, Vec<NamedTensor<f64>>) {
        let layout = Arc::new(layout(ModelKind::Vae, "19-18-3"));
        let mut parameters = Parameters::zeros(layout.clone());
        for (index, value) in parameters.as_mut_slice().iter_mut().enumerate() {
            *value = 0.1 + index as f64;
        }
        let tensors = parameters.named_tensors();
        (layout, tensors)
    }

    #[test]
    fn tensors_of_any_order_are_taken_and_others_refused() {
        let (layout, tensors) = tensors();
        let reversed = tensors.iter().rev().cloned();
        let parameters = Parameters::from_named_tensors(layout.clone(), reversed).unwrap();
        assert_eq!(parameters.named_tensors(), tensors);

        let refused = |change: &dyn Fn(&mut Vec<NamedTensor<f64>>)| {
            let mut tensors = tensors.clone();
            change(&mut tensors);
            Parameters::from_named_tensors(layout.clone(), tensors).unwrap_err()
        };
        let unexpected = |name: &str| TensorError::Unexpected(name.to_owned());
        assert_eq!(
            refused(&|all| all.push(all[3].clone())),
            unexpected(&tensors[3].name)
        );
        assert_eq!(
            refused(&|all| all[3].name = "gamma".into()),
            unexpected("gamma")
        );
        let missing = TensorError::Missing {
            name: "mu.weight".into(),
            expected: vec![3, 18],
        };
        assert_eq!(refused(&|all| drop(all.remove(2))), missing);
        // The right shape with a value too few, and the right number of another shape.
        let of_shape = |found: &[usize]| TensorError::Shape {
            name: "mu.weight".into(),
            found: found.to_vec(),
            expected: vec![3, 18],
        };
        assert_eq!(
            refused(&|all| all[2].values.truncate(53)),
            of_shape(&[3, 18])
        );
        assert_eq!(
            refused(&|all| all[2].shape = vec![18, 3]),
            of_shape(&[18, 3])
        );
        let infinite = TensorError::NotFinite {
            name: "mu.weight".into(),
            index: 7,
            value: f64::INFINITY,
        };
        assert_eq!(refused(&|all| all[2].values[7] = f64::INFINITY), infinite);
    }

    #[test]
    fn the_first_tensor_that_is_not_finite_is_named() {
        let (layout, tensors) = tensors();
        let mut parameters = Parameters::from_named_tensors(layout.clone(), tensors).unwrap();
        assert_eq!(parameters.first_non_finite(), None);
        for (name, value) in [("decoder.2.bias", f64::NAN), ("mu.bias", f64::NEG_INFINITY)] {
            let slot = layout
                .tensors()
                .iter()
                .find(|slot| slot.name == name)
                .unwrap();
            let mut values = layout.export(slot, parameters.as_slice());
            *values.last_mut().unwrap() = value;
            layout.import(slot, &values, parameters.as_mut_slice());
            assert_eq!(parameters.first_non_finite(), Some(name));
        }
    }

    #[test]
    fn a_cast_rounds_every_value() {
        let (layout, tensors) = tensors();
        let parameters = Parameters::from_named_tensors(layout, tensors).unwrap();
        let cast: Parameters<f32> = parameters.cast();
        assert_eq!(cast.layout(), parameters.layout());
        let rounded = parameters.as_slice().iter().map(|&value| value as f32);
        assert!(rounded.eq(cast.as_slice().iter().copied()));
    }
}
