//! The few instructions of a pickle that a dictionary of tensors is made of.
//!
//! A pickle is a program for a machine with a stack; Python runs it, and whoever
//! wrote the file decides what is called. Here nothing is ever called: of the
//! instructions only those are known that `torch.save` writes for a state dict, of
//! the names only those of tensors and their storages, and what they would build is
//! written down as plain data. All of it is kept in lists and referred to by index,
//! so that no file can nest it deeper than the stack of this process.

use super::globals::{GLOBALS, Global};
use crate::tensor::Number;

/// Objects, stack entries and memoised values that a pickle may have: a state dict
/// has some ten for each tensor.
const MOST: usize = 1 << 17;

/// Of a tensor; weights of convolutions have five at the most.
const MOST_DIMENSIONS: usize = 8;

/// A value on the stack.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value {
    Mark,
    Nothing,
    Truth,
    Whole(i64),
    Fraction,
    /// Start and length in the pickle.
    Text(u32, u32),
    Global(Global),
    /// An index into the objects.
    Object(usize),
}

/// What has parts.
#[derive(Clone, Debug)]
pub(super) enum Object {
    Tuple(Vec<Value>),
    List,
    Dictionary(Vec<(Value, Value)>),
    /// Its numbers, its key in the archive and how many it has.
    Storage(Numbers, Box<str>, usize),
    Tensor(Box<StoredTensor>),
    /// What carries nothing of the weights.
    Other,
}

/// What a storage holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Numbers {
    Floats(Number),
    /// Counts and the like.
    Others,
}

/// A tensor as the pickle describes it.
#[derive(Clone, Debug)]
pub(super) struct StoredTensor {
    pub(super) numbers: Numbers,
    /// The file in the folder `data` of the archive.
    pub(super) storage: Box<str>,
    /// In numbers from the start of the storage.
    pub(super) offset: usize,
    pub(super) shape: Vec<usize>,
    /// From one index of each axis to the next, in numbers.
    pub(super) strides: Vec<usize>,
}

/// What a pickle describes.
#[derive(Debug)]
pub(super) struct Reading<'a> {
    pickle: &'a [u8],
    objects: Vec<Object>,
    root: Value,
}

impl<'a> Reading<'a> {
    /// Reads a pickle to its end.
    ///
    /// # Errors
    /// What was found that is not known, or how the bytes are damaged, as the second
    /// half of a sentence.
    pub(super) fn of(pickle: &'a [u8]) -> Result<Self, String> {
        let mut machine = Machine {
            pickle,
            position: 0,
            stack: Vec::new(),
            objects: Vec::new(),
            memo: Vec::new(),
        };
        let root = machine.run()?;
        Ok(Self {
            pickle,
            objects: machine.objects,
            root,
        })
    }

    pub(super) fn root(&self) -> Value {
        self.root
    }

    pub(super) fn object(&self, value: Value) -> Option<&Object> {
        match value {
            Value::Object(index) => self.objects.get(index),
            _ => None,
        }
    }

    /// The keys and values of a dictionary.
    pub(super) fn dictionary(&self, value: Value) -> Option<&[(Value, Value)]> {
        match self.object(value) {
            Some(Object::Dictionary(pairs)) => Some(pairs),
            _ => None,
        }
    }

    pub(super) fn text(&self, value: Value) -> Option<&'a str> {
        text(self.pickle, value)
    }

    /// What a value is, with its article.
    pub(super) fn noun(&self, value: Value) -> &'static str {
        match value {
            Value::Text(..) => "a text",
            Value::Whole(_) | Value::Fraction => "a number",
            Value::Object(_) => match self.object(value) {
                Some(Object::Tuple(_) | Object::List) => "a list",
                Some(Object::Tensor(_)) => "a single tensor",
                Some(Object::Dictionary(_)) => "a dictionary",
                _ => "something else",
            },
            _ => "something else",
        }
    }
}

fn text(pickle: &[u8], value: Value) -> Option<&str> {
    match value {
        Value::Text(start, length) => {
            let (start, length) = (start as usize, length as usize);
            let bytes = pickle.get(start..start.checked_add(length)?)?;
            std::str::from_utf8(bytes).ok()
        }
        _ => None,
    }
}

struct Machine<'a> {
    pickle: &'a [u8],
    position: usize,
    stack: Vec<Value>,
    objects: Vec<Object>,
    memo: Vec<Option<Value>>,
}

impl<'a> Machine<'a> {
    fn run(&mut self) -> Result<Value, String> {
        loop {
            if self.stack.len() > MOST || self.objects.len() > MOST {
                return Err(format!(
                    "its pickle has more than {MOST} objects, which no state dict has"
                ));
            }
            let at = self.position;
            let [instruction] = self.take::<1>()?;
            match instruction {
                // PROTO
                0x80 => {
                    let [version] = self.take()?;
                    if version != 2 {
                        return Err(format!(
                            "its pickle is of protocol {version}; expected the one that torch.save writes by default, 2"
                        ));
                    }
                }
                // STOP
                b'.' => return self.pop(),
                b'(' => self.stack.push(Value::Mark),
                b'N' => self.stack.push(Value::Nothing),
                // NEWTRUE, NEWFALSE
                0x88 | 0x89 => self.stack.push(Value::Truth),
                b'K' => {
                    let [byte] = self.take()?;
                    self.stack.push(Value::Whole(byte.into()));
                }
                b'M' => {
                    let whole = u16::from_le_bytes(self.take()?);
                    self.stack.push(Value::Whole(whole.into()));
                }
                b'J' => {
                    let whole = i32::from_le_bytes(self.take()?);
                    self.stack.push(Value::Whole(whole.into()));
                }
                // LONG1
                0x8a => {
                    let [length] = self.take()?;
                    let whole = self.long(length.into())?;
                    self.stack.push(Value::Whole(whole));
                }
                b'G' => {
                    self.take::<8>()?;
                    self.stack.push(Value::Fraction);
                }
                b'X' => {
                    let length = u32::from_le_bytes(self.take()?);
                    let start = u32::try_from(self.position).map_err(|_| damaged())?;
                    let text = Value::Text(start, length);
                    self.skip(length as usize)?;
                    self.text(text)?;
                    self.stack.push(text);
                }
                b'c' => {
                    let global = self.global()?;
                    self.stack.push(Value::Global(global));
                }
                b'}' => self.push(Object::Dictionary(Vec::new())),
                b']' => self.push(Object::List),
                b')' => self.push(Object::Tuple(Vec::new())),
                b't' => {
                    let parts = self.pop_to_mark()?;
                    self.push(Object::Tuple(parts));
                }
                // TUPLE1 to TUPLE3
                0x85..=0x87 => {
                    let count = usize::from(instruction - 0x84);
                    let start = self.stack.len().checked_sub(count).ok_or_else(damaged)?;
                    let parts = self.stack.split_off(start);
                    self.push(Object::Tuple(parts));
                }
                b'q' => {
                    let [index] = self.take()?;
                    self.remember(index.into())?;
                }
                b'r' => {
                    let index = u32::from_le_bytes(self.take()?);
                    self.remember(index as usize)?;
                }
                b'h' => {
                    let [index] = self.take()?;
                    self.recall(index.into())?;
                }
                b'j' => {
                    let index = u32::from_le_bytes(self.take()?);
                    self.recall(index as usize)?;
                }
                b's' => {
                    let (value, key) = (self.pop()?, self.pop()?);
                    self.fill(&[key, value])?;
                }
                b'u' => {
                    let pairs = self.pop_to_mark()?;
                    self.fill(&pairs)?;
                }
                // APPEND and APPENDS, for no list holds weights, and BUILD, which gives a
                // dictionary its attribute _metadata.
                b'a' | b'b' => {
                    self.pop()?;
                }
                b'e' => {
                    self.pop_to_mark()?;
                }
                b'Q' => {
                    let storage = self.storage()?;
                    self.push(storage);
                }
                b'R' => {
                    let (arguments, callable) = (self.pop()?, self.pop()?);
                    self.reduce(callable, arguments)?;
                }
                other => {
                    return Err(format!(
                        "its pickle has the instruction {:?} at byte {at}, which no state dict needs; nothing in it was run; save the weights alone: torch.save(model.state_dict(), \"model.pt\")",
                        char::from(other)
                    ));
                }
            }
        }
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let rest = self.pickle.get(self.position..).unwrap_or_default();
        let taken = rest.first_chunk().ok_or_else(damaged)?;
        self.position += N;
        Ok(*taken)
    }

    fn skip(&mut self, length: usize) -> Result<(), String> {
        let end = self.position.checked_add(length);
        self.position = end
            .filter(|&end| end <= self.pickle.len())
            .ok_or_else(damaged)?;
        Ok(())
    }

    /// A little-endian number of some bytes; beyond 64 bits nothing is counted.
    fn long(&mut self, length: usize) -> Result<i64, String> {
        let start = self.position;
        self.skip(length)?;
        let bytes = &self.pickle[start..self.position];
        if length > 8 {
            return Err(damaged());
        }
        let is_negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
        let mut whole = [if is_negative { 0xff } else { 0 }; 8];
        whole[..length].copy_from_slice(bytes);
        Ok(i64::from_le_bytes(whole))
    }

    fn text(&self, value: Value) -> Result<&'a str, String> {
        text(self.pickle, value).ok_or_else(damaged)
    }

    fn pop(&mut self) -> Result<Value, String> {
        match self.stack.pop() {
            Some(Value::Mark) | None => Err(damaged()),
            Some(value) => Ok(value),
        }
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Value>, String> {
        let is_mark = |value: &Value| matches!(value, Value::Mark);
        let mark = self.stack.iter().rposition(is_mark).ok_or_else(damaged)?;
        let parts = self.stack.split_off(mark + 1);
        self.stack.pop();
        Ok(parts)
    }

    fn push(&mut self, object: Object) {
        self.stack.push(Value::Object(self.objects.len()));
        self.objects.push(object);
    }

    fn remember(&mut self, index: usize) -> Result<(), String> {
        let value = *self.stack.last().ok_or_else(damaged)?;
        if index > MOST {
            return Err(damaged());
        }
        if self.memo.len() <= index {
            self.memo.resize(index + 1, None);
        }
        self.memo[index] = Some(value);
        Ok(())
    }

    fn recall(&mut self, index: usize) -> Result<(), String> {
        let value = self.memo.get(index).copied().flatten();
        self.stack.push(value.ok_or_else(damaged)?);
        Ok(())
    }

    /// The two lines behind GLOBAL.
    fn global(&mut self) -> Result<Global, String> {
        let mut line = || {
            let rest = self.pickle.get(self.position..).unwrap_or_default();
            let end = rest.iter().position(|&byte| byte == b'\n')?;
            self.position += end + 1;
            std::str::from_utf8(&rest[..end]).ok()
        };
        let (module, name) = line().zip(line()).ok_or_else(damaged)?;
        let full = format!("{module} {name}");
        let known = GLOBALS.iter().find(|(known, _)| *known == full);
        known.map(|(_, global)| *global).ok_or_else(|| {
            format!(
                "its pickle asks for {module}.{name}, which is no part of a state dict and is not run; save the weights alone: torch.save(model.state_dict(), \"model.pt\")"
            )
        })
    }

    fn fill(&mut self, pairs: &[Value]) -> Result<(), String> {
        let (pairs, rest) = pairs.as_chunks::<2>();
        let Some(Value::Object(index)) = self.stack.last() else {
            return Err(damaged());
        };
        match self.objects.get_mut(*index) {
            Some(Object::Dictionary(kept)) if rest.is_empty() => {
                kept.extend(pairs.iter().map(|&[key, value]| (key, value)));
                Ok(())
            }
            _ => Err(damaged()),
        }
    }

    fn tuple(&self, value: Value) -> Result<&[Value], String> {
        match value {
            Value::Object(index) => match self.objects.get(index) {
                Some(Object::Tuple(parts)) => Ok(parts),
                _ => Err(damaged()),
            },
            _ => Err(damaged()),
        }
    }

    /// What BINPERSID refers to: ("storage", kind, key, device, numbers).
    fn storage(&mut self) -> Result<Object, String> {
        let reference = self.pop()?;
        let &[
            word,
            Value::Global(Global::Storage(number, _)),
            key,
            _,
            Value::Whole(numbers),
        ] = self.tuple(reference)?
        else {
            return Err(damaged());
        };
        if self.text(word)? != "storage" {
            return Err(damaged());
        }
        let key = self.text(key)?.into();
        let kind = number.map_or(Numbers::Others, Numbers::Floats);
        let numbers = usize::try_from(numbers).map_err(|_| damaged())?;
        Ok(Object::Storage(kind, key, numbers))
    }

    /// What a call would have made.
    fn reduce(&mut self, callable: Value, arguments: Value) -> Result<(), String> {
        let Value::Global(global) = callable else {
            return Err(damaged());
        };
        let parts = self.tuple(arguments)?;
        match global {
            Global::OrderedDict if parts.is_empty() => {
                self.push(Object::Dictionary(Vec::new()));
            }
            Global::RebuildTensor => {
                let tensor = self.tensor(parts)?;
                self.push(Object::Tensor(Box::new(tensor)));
            }
            // Of its data, whether it needs a gradient, and hooks.
            Global::RebuildParameter => {
                let data = *parts.first().ok_or_else(damaged)?;
                self.stack.push(data);
            }
            Global::Size | Global::Device => self.push(Object::Other),
            Global::OrderedDict | Global::Storage(..) => return Err(damaged()),
        }
        Ok(())
    }

    /// A tensor of (storage, offset, sizes, strides, …).
    fn tensor(&self, parts: &[Value]) -> Result<StoredTensor, String> {
        let &[
            Value::Object(storage),
            Value::Whole(offset),
            sizes,
            strides,
            ..,
        ] = parts
        else {
            return Err(damaged());
        };
        let Some(Object::Storage(numbers, key, length)) = self.objects.get(storage) else {
            return Err(damaged());
        };
        let wholes = |value| -> Result<Vec<usize>, String> {
            let parts = self.tuple(value)?.iter();
            parts
                .map(|part| match part {
                    Value::Whole(whole) => usize::try_from(*whole).map_err(|_| damaged()),
                    _ => Err(damaged()),
                })
                .collect()
        };
        let (shape, strides) = (wholes(sizes)?, wholes(strides)?);
        if shape.len() > MOST_DIMENSIONS {
            return Err(format!(
                "its pickle has a tensor of {} dimensions; expected at most {MOST_DIMENSIONS}",
                shape.len()
            ));
        }
        let tensor = StoredTensor {
            numbers: *numbers,
            storage: key.clone(),
            offset: usize::try_from(offset).map_err(|_| damaged())?,
            shape,
            strides,
        };
        if tensor.shape.len() != tensor.strides.len() || tensor.offset > *length {
            return Err(damaged());
        }
        Ok(tensor)
    }
}

fn damaged() -> String {
    "its pickle is damaged; expected one that torch.save wrote".into()
}
