//! Reads pickles without executing anything: a stack machine over a fixed list of harmless constructors.
//!
//! Values live in one arena and refer to each other by number, so that neither deep nesting nor cycles can overflow a stack. Every
//! limit below is far beyond what a checkpoint needs and keeps memory within a small multiple of the file.
//! Over 600 lines, and whole: the list of what is allowed is safest where one reads it from top to bottom.

use super::constructors::{self, Known};
use crate::{Problem, Result, problem};
use std::collections::HashMap;

/// Pickles longer than this are refused: a checkpoint's describes its tensors in a few hundred kilobytes.
pub const LONGEST: usize = 32 << 20;
const MOST_STEPS: usize = 4_000_000;
const MOST_NODES: usize = 500_000;
const MOST_STACK: usize = 1_000_000;
const MOST_OWNED: usize = 8 << 20;

/// A value's place in the arena.
pub type Id = u32;

/// A value. Text and bytes stay in the pickle, as a range of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// None.
    None,
    /// True or False.
    Bool(bool),
    /// A whole number that fits.
    Int(i64),
    /// A float, or a whole number that does not fit.
    Float(f64),
    /// Text or bytes in the pickle: start and length.
    Text(usize, usize),
    /// Bytes made while reading.
    Owned(Box<[u8]>),
    /// A list or a set.
    List(Vec<Id>),
    /// A tuple.
    Tuple(Box<[Id]>),
    /// A dictionary, in the order of its making.
    Dict(Vec<(Id, Id)>),
    /// A class or function of the allow-list, by itself harmless.
    Known(Known),
    /// A tensor's storage.
    Storage(Storage),
    /// A tensor.
    Tensor(Box<Tensor>),
    /// A numpy element type: letter of its kind, bytes, little-endian.
    Dtype(u8, u8, bool),
    /// Something allowed that nothing here needs.
    Opaque,
}

/// Where a tensor's numbers are.
#[derive(Debug, Clone, PartialEq)]
pub struct Storage {
    /// Name of the storage in the file.
    pub key: Id,
    /// Element type.
    pub dtype: Dtype,
    /// How many elements it has.
    pub len: usize,
    /// Elements before this view of another storage begins (old files).
    pub offset: usize,
}

/// Element types of tensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dtype {
    /// f32
    F32,
    /// f64
    F64,
    /// f16
    F16,
    /// The upper half of an f32
    Bf16,
    /// i64
    I64,
    /// i32
    I32,
    /// i16
    I16,
    /// i8
    I8,
    /// u8
    U8,
    /// One byte, 0 or 1
    Bool,
}

impl Dtype {
    /// Bytes of one element.
    pub fn size(self) -> usize {
        match self {
            Self::F64 | Self::I64 => 8,
            Self::F32 | Self::I32 => 4,
            Self::F16 | Self::Bf16 | Self::I16 => 2,
            Self::I8 | Self::U8 | Self::Bool => 1,
        }
    }
}

/// A view of a storage.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Where its numbers are.
    pub storage: Storage,
    /// Elements before its first.
    pub offset: usize,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Elements from one index to the next, per axis.
    pub stride: Vec<usize>,
}

/// A pickle that has been read.
#[derive(Debug)]
pub struct Pickle<'a> {
    bytes: &'a [u8],
    nodes: Vec<Node>,
    /// The value that the pickle holds.
    pub root: Id,
    /// Bytes it took.
    pub len: usize,
}

impl<'a> Pickle<'a> {
    /// Reads the pickle at the start of `bytes`.
    ///
    /// # Errors
    /// A name that is not on the allow-list (it is neither imported nor called), bytes that are no pickle, a limit.
    pub fn read(bytes: &'a [u8]) -> Result<Self> {
        let mut machine = Machine {
            bytes,
            at: 0,
            nodes: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
            owned: 0,
        };
        let root = machine.run()?;
        Ok(Self {
            bytes,
            nodes: machine.nodes,
            root,
            len: machine.at,
        })
    }

    /// The value at a place.
    pub fn node(&self, id: Id) -> &Node {
        &self.nodes[id as usize]
    }

    /// The entries of a dictionary; none of anything else.
    pub fn entries(&self, id: Id) -> &[(Id, Id)] {
        match self.node(id) {
            Node::Dict(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list or tuple; none of anything else.
    pub fn items(&self, id: Id) -> &[Id] {
        match self.node(id) {
            Node::List(items) => items,
            Node::Tuple(items) => items,
            _ => &[],
        }
    }

    /// The last value of a key of a dictionary.
    pub fn get(&self, id: Id, key: &str) -> Option<Id> {
        let entries = self.entries(id).iter().rev();
        entries
            .filter(|(k, _)| self.text(*k) == Some(key))
            .map(|(_, v)| *v)
            .next()
    }

    /// Every storage that is mentioned.
    pub fn storages(&self) -> impl Iterator<Item = &Storage> {
        self.nodes.iter().filter_map(|node| match node {
            Node::Storage(storage) => Some(storage),
            _ => None,
        })
    }

    /// Text, if it is.
    pub fn text(&self, id: Id) -> Option<&str> {
        text(self.bytes, self.node(id))
    }

    /// A number, if it is: also a numpy scalar. Truth values count as 0 and 1.
    pub fn number(&self, id: Id) -> Option<f64> {
        match self.node(id) {
            Node::Bool(b) => Some(f64::from(u8::from(*b))),
            Node::Int(i) => Some(*i as f64),
            Node::Float(f) => Some(*f),
            _ => None,
        }
    }
}

/// The text of a node of a pickle's bytes.
pub(super) fn text<'a>(bytes: &'a [u8], node: &'a Node) -> Option<&'a str> {
    std::str::from_utf8(raw(bytes, node)?).ok()
}

/// The bytes of a node.
pub(super) fn raw<'a>(bytes: &'a [u8], node: &'a Node) -> Option<&'a [u8]> {
    match node {
        Node::Text(start, len) => bytes.get(*start..*start + *len),
        Node::Owned(own) => Some(own),
        _ => None,
    }
}

pub(super) struct Machine<'a> {
    pub(super) bytes: &'a [u8],
    at: usize,
    pub(super) nodes: Vec<Node>,
    stack: Vec<Id>,
    marks: Vec<usize>,
    memo: HashMap<u64, Id>,
    owned: usize,
}

fn damaged(at: usize, what: &str) -> Problem {
    problem(format!("the pickle is damaged at byte {at}: {what}"))
        .hint("the file is cut short or was changed: fetch it again")
}

fn too_large(what: &str) -> Problem {
    problem(format!(
        "the pickle has more {what} than any checkpoint needs"
    ))
    .hint("save the weights alone: torch.save({'state_dict': model.state_dict(), …}, path)")
}

impl<'a> Machine<'a> {
    fn run(&mut self) -> Result<Id> {
        for _ in 0..MOST_STEPS {
            let op = self.u8()?;
            if op == b'.' {
                return self.pop();
            }
            self.step(op)?;
            if self.nodes.len() > MOST_NODES || self.memo.len() > MOST_NODES {
                return too_large("values").fail();
            }
            if self.stack.len() > MOST_STACK || self.marks.len() > MOST_STACK {
                return too_large("open values").fail();
            }
        }
        too_large("steps").fail()
    }

    fn step(&mut self, op: u8) -> Result<()> {
        match op {
            0x80 => {
                let version = self.u8()?;
                if version > 5 {
                    return damaged(self.at, &format!("protocol {version} is unknown")).fail();
                }
            }
            0x95 => self.skip(8)?,
            b'(' => self.marks.push(self.stack.len()),
            b'0' => {
                // Pops a mark if there is nothing above it, as Python does.
                if self.marks.last() == Some(&self.stack.len()) {
                    self.marks.pop();
                } else {
                    self.pop()?;
                }
            }
            b'1' => drop(self.above_mark()?),
            b'2' => {
                let top = self.top()?;
                self.stack.push(top);
            }
            b'N' => self.push(Node::None),
            0x88 => self.push(Node::Bool(true)),
            0x89 => self.push(Node::Bool(false)),
            b'I' => {
                let line = self.line()?;
                let node = match line {
                    "00" => Node::Bool(false),
                    "01" => Node::Bool(true),
                    _ => self.whole(line)?,
                };
                self.push(node);
            }
            b'L' => {
                let line = self.line()?;
                let node = self.whole(line.strip_suffix('L').unwrap_or(line))?;
                self.push(node);
            }
            b'F' => {
                let line = self.line()?;
                let value = line.parse().map_err(|_| damaged(self.at, "not a number"))?;
                self.push(Node::Float(value));
            }
            b'J' => {
                let value = i32::from_le_bytes(self.array()?);
                self.push(Node::Int(value.into()));
            }
            b'K' => {
                let value = self.u8()?;
                self.push(Node::Int(value.into()));
            }
            b'M' => {
                let value = u16::from_le_bytes(self.array()?);
                self.push(Node::Int(value.into()));
            }
            b'G' => {
                let value = f64::from_be_bytes(self.array()?);
                self.push(Node::Float(value));
            }
            0x8a => {
                let n = usize::from(self.u8()?);
                self.long(n)?;
            }
            0x8b => {
                let n = self.length(4)?;
                self.long(n)?;
            }
            b'S' | b'V' => {
                let start = self.at;
                let line = self.line()?;
                let quoted = op == b'S' && line.len() >= 2 && line.starts_with(['\'', '"']);
                let (start, len) = if quoted {
                    (start + 1, line.len() - 2)
                } else {
                    (start, line.len())
                };
                self.push(Node::Text(start, len));
            }
            b'T' | b'X' | b'B' => {
                let n = self.length(4)?;
                self.bytes_of(n)?;
            }
            b'U' | b'C' | 0x8c => {
                let n = usize::from(self.u8()?);
                self.bytes_of(n)?;
            }
            0x8d | 0x8e | 0x96 => {
                let n = self.length(8)?;
                self.bytes_of(n)?;
            }
            b']' | 0x8f => self.push(Node::List(Vec::new())),
            b'}' => self.push(Node::Dict(Vec::new())),
            b')' => self.push(Node::Tuple([].into())),
            b't' => {
                let items = self.above_mark()?;
                self.push(Node::Tuple(items.into()));
            }
            0x85..=0x87 => {
                let n = usize::from(op - 0x84);
                let from = self.floor(n)?;
                let items = self.stack.split_off(from);
                self.push(Node::Tuple(items.into()));
            }
            b'l' | 0x91 => {
                let items = self.above_mark()?;
                self.push(Node::List(items));
            }
            b'd' => {
                let items = self.above_mark()?;
                let entries = self.pairs(&items)?;
                self.push(Node::Dict(entries));
            }
            b'a' => {
                let item = self.pop()?;
                self.extend(vec![item])?;
            }
            b'e' | 0x90 => {
                let items = self.above_mark()?;
                self.extend(items)?;
            }
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.set(vec![(key, value)])?;
            }
            b'u' => {
                let items = self.above_mark()?;
                let entries = self.pairs(&items)?;
                self.set(entries)?;
            }
            b'p' | b'q' | b'r' | 0x94 => {
                let key = match op {
                    b'p' => self.number_line()?,
                    b'q' => u64::from(self.u8()?),
                    b'r' => u64::from(u32::from_le_bytes(self.array()?)),
                    _ => self.memo.len() as u64,
                };
                let top = self.top()?;
                self.memo.insert(key, top);
            }
            b'g' | b'h' | b'j' => {
                let key = match op {
                    b'g' => self.number_line()?,
                    b'h' => u64::from(self.u8()?),
                    _ => u64::from(u32::from_le_bytes(self.array()?)),
                };
                let found = self.memo.get(&key).copied();
                let id =
                    found.ok_or_else(|| damaged(self.at, "a value is used before it is made"))?;
                self.stack.push(id);
            }
            b'c' => {
                let module = self.line()?;
                let name = self.line()?;
                let known = constructors::known(module, name)?;
                self.push(Node::Known(known));
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let part = |id: Id| text(self.bytes, &self.nodes[id as usize]);
                let (Some(module), Some(name)) = (part(module), part(name)) else {
                    return damaged(self.at, "a class without a name").fail();
                };
                let known = constructors::known(module, name)?;
                self.push(Node::Known(known));
            }
            b'i' => {
                let module = self.line()?;
                let name = self.line()?;
                let known = constructors::known(module, name)?;
                let items = self.above_mark()?;
                self.call(known, &items)?;
            }
            b'o' => {
                let items = self.above_mark()?;
                let Some((&class, items)) = items.split_first() else {
                    return damaged(self.at, "an object without a class").fail();
                };
                let known = self.callable(class)?;
                self.call(known, items)?;
            }
            b'R' | 0x81 => {
                let arguments = self.pop()?;
                let function = self.pop()?;
                self.apply(function, arguments)?;
            }
            0x92 => {
                let _keywords = self.pop()?;
                let arguments = self.pop()?;
                let function = self.pop()?;
                self.apply(function, arguments)?;
            }
            b'b' => {
                let state = self.pop()?;
                let top = self.top()?;
                constructors::build(self, top, state);
            }
            b'P' => {
                self.line()?;
                return damaged(self.at, "storages by text are unknown").fail();
            }
            b'Q' => {
                let id = self.pop()?;
                let node = constructors::persistent(self, id)?;
                self.push(node);
            }
            _ => {
                return damaged(self.at - 1, &format!("unknown operation {op:#04x}")).fail();
            }
        }
        Ok(())
    }

    fn apply(&mut self, function: Id, arguments: Id) -> Result<()> {
        let known = self.callable(function)?;
        let Node::Tuple(items) = &self.nodes[arguments as usize] else {
            return damaged(self.at, "arguments that are no tuple").fail();
        };
        if items.len() > 64 {
            return damaged(self.at, "too many arguments").fail();
        }
        let items = items.clone();
        self.call(known, &items)
    }

    fn callable(&self, id: Id) -> Result<Known> {
        match &self.nodes[id as usize] {
            Node::Known(known) => Ok(*known),
            // An object of an allowed class that would be called again: nothing comes of it.
            Node::Opaque => Ok(Known::Inert),
            _ => damaged(self.at, "a call of something that is no class").fail(),
        }
    }

    fn call(&mut self, known: Known, items: &[Id]) -> Result<()> {
        let node = constructors::call(self, known, items)?;
        // Values that are copied rather than moved could otherwise multiply.
        self.owned += match &node {
            Node::Owned(bytes) => bytes.len(),
            Node::Dict(entries) => 8 * entries.len(),
            Node::List(items) => 4 * items.len(),
            Node::Tuple(items) => 4 * items.len(),
            _ => 0,
        };
        if self.owned > MOST_OWNED {
            return too_large("copies").fail();
        }
        self.push(node);
        Ok(())
    }

    fn push(&mut self, node: Node) {
        self.stack.push(self.nodes.len() as Id);
        self.nodes.push(node);
    }

    fn top(&self) -> Result<Id> {
        let floor = self.floor(1)?;
        Ok(self.stack[floor])
    }

    fn pop(&mut self) -> Result<Id> {
        let floor = self.floor(1)?;
        let id = self.stack[floor];
        self.stack.truncate(floor);
        Ok(id)
    }

    /// Where the last `n` values begin; they may not lie below the last mark.
    fn floor(&self, n: usize) -> Result<usize> {
        let lowest = self.marks.last().copied().unwrap_or(0);
        match self.stack.len().checked_sub(n) {
            Some(floor) if floor >= lowest => Ok(floor),
            _ => damaged(self.at, "a value is missing").fail(),
        }
    }

    fn above_mark(&mut self) -> Result<Vec<Id>> {
        let mark = self.marks.pop();
        let mark = mark.ok_or_else(|| damaged(self.at, "a mark is missing"))?;
        // A mark is never above the stack: `floor` keeps values below it from being popped.
        Ok(self.stack.split_off(mark))
    }

    fn pairs(&self, items: &[Id]) -> Result<Vec<(Id, Id)>> {
        if items.len() % 2 == 1 {
            return damaged(self.at, "a key without a value").fail();
        }
        Ok(items.chunks_exact(2).map(|p| (p[0], p[1])).collect())
    }

    fn extend(&mut self, items: Vec<Id>) -> Result<()> {
        let top = self.top()?;
        match &mut self.nodes[top as usize] {
            Node::List(list) => list.extend(items),
            Node::Opaque => {}
            _ => return damaged(self.at, "items for something that is no list").fail(),
        }
        Ok(())
    }

    fn set(&mut self, entries: Vec<(Id, Id)>) -> Result<()> {
        let top = self.top()?;
        match &mut self.nodes[top as usize] {
            Node::Dict(dict) => dict.extend(entries),
            Node::Opaque => {}
            _ => {
                return damaged(self.at, "entries for something that is no dictionary").fail();
            }
        }
        Ok(())
    }

    fn skip(&mut self, n: usize) -> Result<()> {
        self.slice(n).map(drop)
    }

    fn slice(&mut self, n: usize) -> Result<&'a [u8]> {
        let end = self.at.checked_add(n);
        let found = end.and_then(|end| self.bytes.get(self.at..end));
        let found = found.ok_or_else(|| damaged(self.at, "it ends too early"))?;
        self.at += n;
        Ok(found)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.slice(N)?);
        Ok(array)
    }

    fn u8(&mut self) -> Result<u8> {
        Ok(self.array::<1>()?[0])
    }

    /// A length of 4 or 8 bytes.
    fn length(&mut self, n: usize) -> Result<usize> {
        let mut wide = [0; 8];
        wide[..n].copy_from_slice(self.slice(n)?);
        Ok(usize::try_from(u64::from_le_bytes(wide))
            .map_err(|_| damaged(self.at, "it ends too early"))?)
    }

    fn bytes_of(&mut self, n: usize) -> Result<()> {
        let start = self.at;
        self.skip(n)?;
        self.push(Node::Text(start, n));
        Ok(())
    }

    fn line(&mut self) -> Result<&'a str> {
        let rest = &self.bytes[self.at..];
        let end = rest.iter().position(|&b| b == b'\n');
        let end = end.ok_or_else(|| damaged(self.at, "it ends too early"))?;
        self.at += end + 1;
        Ok(std::str::from_utf8(&rest[..end]).map_err(|_| damaged(self.at, "not text"))?)
    }

    fn number_line(&mut self) -> Result<u64> {
        let line = self.line()?;
        Ok(line.parse().map_err(|_| damaged(self.at, "not a number"))?)
    }

    fn whole(&self, line: &str) -> Result<Node> {
        if let Ok(value) = line.parse() {
            return Ok(Node::Int(value));
        }
        // Whole numbers beyond 64 bits.
        match line.parse() {
            Ok(value) if line.len() < 400 => Ok(Node::Float(value)),
            _ => damaged(self.at, "not a number").fail(),
        }
    }

    fn long(&mut self, n: usize) -> Result<()> {
        let digits = self.slice(n)?;
        let node = if n <= 8 {
            let sign = digits.last().is_some_and(|b| b & 0x80 != 0);
            let mut wide = [if sign { 0xff } else { 0 }; 8];
            wide[..n].copy_from_slice(digits);
            Node::Int(i64::from_le_bytes(wide))
        } else {
            // Seeds and the like; no number that is needed here is that large.
            Node::Opaque
        };
        self.push(node);
        Ok(())
    }
}
