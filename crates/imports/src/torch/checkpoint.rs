//! Where in what was saved the weights are.

use super::pickle::{Object, Reading, StoredTensor, Value};

/// Keys under which checkpoints keep the weights, the likeliest first.
const KEYS: [&str; 5] = [
    "model_state_dict",
    "state_dict",
    "model_state",
    "model",
    "net",
];

/// Words of keys under which they keep something else that holds tensors.
const OTHERS: [&str; 5] = ["optim", "ema", "sched", "scaler", "rng"];

type Named = Vec<(String, StoredTensor)>;

/// The tensors of what was saved, and which part of it they were in, in a sentence.
///
/// # Errors
/// When there are none, or it cannot be told which are meant.
pub(super) fn tensors(reading: &Reading<'_>) -> Result<(Named, Vec<String>), String> {
    let Some(root) = reading.dictionary(reading.root()) else {
        return Err(format!(
            "it holds {}; expected a state dict: torch.save(model.state_dict(), \"model.pt\")",
            reading.noun(reading.root())
        ));
    };
    let direct = of_dictionary(reading, root);
    if !direct.is_empty() {
        return Ok((direct, Vec::new()));
    }
    let nested: Vec<(&str, Named)> = root
        .iter()
        .filter_map(|(key, value)| {
            let key = reading.text(*key)?;
            let tensors = of_dictionary(reading, reading.dictionary(*value)?);
            (!tensors.is_empty()).then_some((key, tensors))
        })
        .collect();
    let likeliest = KEYS
        .iter()
        .find_map(|wanted| nested.iter().position(|(key, _)| key == wanted));
    let is_other = |key: &str| OTHERS.iter().any(|word| key.to_lowercase().contains(word));
    let weights: Vec<usize> = (0..nested.len())
        .filter(|&index| !is_other(nested[index].0))
        .collect();
    let mut nested = nested;
    match (likeliest, weights.as_slice()) {
        (Some(index), _) | (None, &[index]) => {
            let (key, tensors) = nested.swap_remove(index);
            Ok((
                tensors,
                vec![format!("weights are those under the key {key}")],
            ))
        }
        (None, []) => {
            let keys: Vec<&str> = root
                .iter()
                .filter_map(|(key, _)| reading.text(*key))
                .take(20)
                .collect();
            Err(format!(
                "it holds a dictionary without tensors, with the keys {}; expected a state dict: torch.save(model.state_dict(), \"model.pt\")",
                keys.join(", ")
            ))
        }
        // Such as {"encoder": …, "decoder": …}.
        (None, several) => {
            let keys: Vec<&str> = several.iter().map(|&index| nested[index].0).collect();
            let note = format!("weights are those under the keys {}", keys.join(", "));
            let mut joined = Vec::new();
            for &index in several {
                let (key, tensors) = &nested[index];
                joined.extend(
                    tensors
                        .iter()
                        .map(|(name, tensor)| (format!("{key}.{name}"), tensor.clone())),
                );
            }
            Ok((joined, vec![note]))
        }
    }
}

/// The tensors that are values of a dictionary.
fn of_dictionary(reading: &Reading<'_>, pairs: &[(Value, Value)]) -> Named {
    pairs
        .iter()
        .filter_map(|(key, value)| {
            let name = reading.text(*key)?;
            match reading.object(*value) {
                Some(Object::Tensor(tensor)) => Some((name.to_owned(), (**tensor).clone())),
                _ => None,
            }
        })
        .collect()
}
