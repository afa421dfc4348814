//! The names that a checkpoint's pickle may mention, and what each of them makes. Nothing else is accepted, and nothing is ever run:
//! a constructor here only fills in a [`Node`].

use super::pickle::{Dtype, Id, Machine, Node, Storage, Tensor, raw, text};
use crate::{Result, problem};

/// What a name of the allow-list makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// `torch._utils._rebuild_tensor` and `_rebuild_tensor_v2`
    Tensor,
    /// `torch._utils._rebuild_parameter`: the tensor itself
    Parameter,
    /// A storage class of an element type
    Storage(Dtype),
    /// `collections.OrderedDict`, `dict`
    Dict,
    /// `collections.defaultdict`
    DefaultDict,
    /// `list`, `set`, `tuple`, `torch.Size`
    List,
    /// `numpy.…multiarray.scalar`
    Scalar,
    /// `numpy.dtype`
    Dtype,
    /// `_codecs.encode`: bytes as protocol 2 writes them
    Encode,
    /// An allowed class whose content nothing here needs
    Inert,
}

/// Looks a name up.
///
/// # Errors
/// A name that is not on the list.
pub fn known(module: &str, name: &str) -> Result<Known> {
    Ok(match (module, name) {
        ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => Known::Tensor,
        ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => {
            Known::Parameter
        }
        ("torch", "FloatStorage") => Known::Storage(Dtype::F32),
        ("torch", "DoubleStorage") => Known::Storage(Dtype::F64),
        ("torch", "HalfStorage") => Known::Storage(Dtype::F16),
        ("torch", "BFloat16Storage") => Known::Storage(Dtype::Bf16),
        ("torch", "LongStorage") => Known::Storage(Dtype::I64),
        ("torch", "IntStorage") => Known::Storage(Dtype::I32),
        ("torch", "ShortStorage") => Known::Storage(Dtype::I16),
        ("torch", "CharStorage") => Known::Storage(Dtype::I8),
        ("torch", "ByteStorage") => Known::Storage(Dtype::U8),
        ("torch", "BoolStorage") => Known::Storage(Dtype::Bool),
        ("collections", "OrderedDict") | ("builtins" | "__builtin__", "dict") => Known::Dict,
        ("collections", "defaultdict") => Known::DefaultDict,
        ("builtins" | "__builtin__", "list" | "set" | "frozenset" | "tuple")
        | ("torch", "Size") => Known::List,
        ("numpy.core.multiarray" | "numpy._core.multiarray", "scalar") => Known::Scalar,
        ("numpy", "dtype") => Known::Dtype,
        ("_codecs", "encode") => Known::Encode,
        ("builtins" | "__builtin__", "int" | "float" | "bool" | "str" | "object")
        | ("argparse", "Namespace")
        | ("copy_reg" | "copyreg", "_reconstructor")
        | ("numpy", "ndarray")
        | ("numpy.core.multiarray" | "numpy._core.multiarray", "_reconstruct")
        | ("torch", "device" | "float32" | "float64" | "float16" | "bfloat16" | "int64")
        | ("torch.torch_version", "TorchVersion")
        | (
            "pathlib" | "pathlib._local",
            "Path" | "PosixPath" | "PurePosixPath" | "WindowsPath" | "PureWindowsPath",
        ) => Known::Inert,
        _ => {
            return problem(
                "the checkpoint asks for something that loading weights does not need; nothing of it was run",
            )
            .value(format!("{module}.{name}"))
            .hint(
                "if you trust its author, save the weights alone with Python: torch.save({'state_dict': …, 'min_age': …, 'max_age': …, 'avg_age': …}, path)",
            ).fail();
        }
    })
}

/// What a call makes.
pub(super) fn call(machine: &Machine<'_>, known: Known, arguments: &[Id]) -> Result<Node> {
    let node = |i: usize| arguments.get(i).map(|&id| &machine.nodes[id as usize]);
    Ok(match known {
        Known::Tensor => tensor(machine, arguments)?,
        Known::Parameter => match node(0) {
            Some(Node::Tensor(tensor)) => Node::Tensor(tensor.clone()),
            _ => Node::Opaque,
        },
        Known::Dict => Node::Dict(match node(0) {
            Some(Node::List(items)) => items
                .iter()
                .filter_map(|&pair| match &machine.nodes[pair as usize] {
                    Node::Tuple(pair) if pair.len() == 2 => Some((pair[0], pair[1])),
                    Node::List(pair) if pair.len() == 2 => Some((pair[0], pair[1])),
                    _ => None,
                })
                .collect(),
            _ => Vec::new(),
        }),
        Known::DefaultDict => Node::Dict(Vec::new()),
        // `torch.Size((2, 3))` is needed; a longer list that is turned into another is not.
        Known::List => match node(0) {
            Some(Node::Tuple(items)) if items.len() <= 8 => Node::Tuple(items.clone()),
            Some(Node::List(items)) if items.len() <= 8 => Node::List(items.clone()),
            _ => Node::List(Vec::new()),
        },
        Known::Dtype => dtype(machine, node(0)),
        Known::Scalar => match (node(0), node(1)) {
            (Some(Node::Dtype(kind, size, little)), Some(value)) => raw(machine.bytes, value)
                .map_or(Node::Opaque, |bytes| scalar(*kind, *size, *little, bytes)),
            _ => Node::Opaque,
        },
        Known::Encode => match (node(0).and_then(|n| text(machine.bytes, n)), node(1)) {
            (Some(words), Some(coding))
                if matches!(text(machine.bytes, coding), Some("latin1" | "latin-1"))
                    && words.len() <= 4096 =>
            {
                let bytes: Option<Vec<u8>> = words.chars().map(|c| u8::try_from(c).ok()).collect();
                bytes.map_or(Node::Opaque, |b| Node::Owned(b.into()))
            }
            _ => Node::Opaque,
        },
        Known::Storage(_) | Known::Inert => Node::Opaque,
    })
}

/// What a state does to an object: numpy's element types learn their byte order, dictionaries may carry attributes.
pub(super) fn build(machine: &mut Machine<'_>, object: Id, state: Id) {
    let Node::Dtype(kind, size, _) = machine.nodes[object as usize] else {
        return;
    };
    let Node::Tuple(items) = &machine.nodes[state as usize] else {
        return;
    };
    let order = items
        .get(1)
        .and_then(|&id| text(machine.bytes, &machine.nodes[id as usize]));
    machine.nodes[object as usize] = Node::Dtype(kind, size, order != Some(">"));
}

fn dtype(machine: &Machine<'_>, code: Option<&Node>) -> Node {
    let code = code.and_then(|n| raw(machine.bytes, n));
    match code {
        Some([kind @ (b'f' | b'i' | b'u' | b'b'), size @ b'1'..=b'8']) => {
            Node::Dtype(*kind, size - b'0', true)
        }
        _ => Node::Opaque,
    }
}

/// A number from the bytes of a numpy scalar.
fn scalar(kind: u8, size: u8, little: bool, bytes: &[u8]) -> Node {
    if bytes.len() != usize::from(size) || bytes.len() > 8 {
        return Node::Opaque;
    }
    let mut wide = [0u8; 8];
    wide[..bytes.len()].copy_from_slice(bytes);
    if !little {
        wide[..bytes.len()].reverse();
    }
    let value = u64::from_le_bytes(wide);
    match (kind, size) {
        (b'f', 8) => Node::Float(f64::from_bits(value)),
        (b'f', 4) => Node::Float(f32::from_bits(value as u32).into()),
        (b'f', 2) => Node::Float(half::f16::from_bits(value as u16).into()),
        (b'i', 1 | 2 | 4 | 8) => {
            let unused = 64 - 8 * u32::from(size);
            Node::Int((value << unused) as i64 >> unused)
        }
        (b'u', 1 | 2 | 4 | 8) => i64::try_from(value).map_or(Node::Float(value as f64), Node::Int),
        (b'b', 1) => Node::Bool(value != 0),
        _ => Node::Opaque,
    }
}

/// `(storage, offset, shape, stride, …)`
fn tensor(machine: &Machine<'_>, arguments: &[Id]) -> Result<Node> {
    let strange = || problem("a tensor of the checkpoint is described in an unknown way");
    let [storage, offset, shape, stride, ..] = arguments else {
        return strange().fail();
    };
    let node = |id: &Id| &machine.nodes[*id as usize];
    let whole = |node: &Node| match node {
        Node::Int(i) => usize::try_from(*i).ok(),
        _ => None,
    };
    let list = |id: &Id| -> Option<Vec<usize>> {
        match node(id) {
            Node::Tuple(items) if items.len() <= 8 => {
                items.iter().map(|i| whole(node(i))).collect()
            }
            Node::List(items) if items.len() <= 8 => items.iter().map(|i| whole(node(i))).collect(),
            _ => None,
        }
    };
    let Node::Storage(storage) = node(storage) else {
        return strange().fail();
    };
    let (Some(offset), Some(shape), Some(stride)) =
        (whole(node(offset)), list(shape), list(stride))
    else {
        return strange().fail();
    };
    if shape.len() != stride.len() {
        return strange().fail();
    }
    Ok(Node::Tensor(Box::new(Tensor {
        storage: storage.clone(),
        offset,
        shape,
        stride,
    })))
}

/// `('storage', class, key, place, elements[, (view key, offset, elements)])`; old files also keep sources of modules this way.
pub(super) fn persistent(machine: &Machine<'_>, id: Id) -> Result<Node> {
    let strange = || problem("a storage of the checkpoint is described in an unknown way");
    let Node::Tuple(items) = &machine.nodes[id as usize] else {
        return strange().fail();
    };
    let node = |i: usize| items.get(i).map(|&id| &machine.nodes[id as usize]);
    let kind = node(0).and_then(|n| text(machine.bytes, n));
    match kind {
        Some("storage") => {}
        Some("module") => {
            // The class that was saved with its source; the allow-list has seen its name.
            return Ok(items
                .get(1)
                .map_or(Node::Opaque, |&id| match machine.nodes[id as usize] {
                    Node::Known(known) => Node::Known(known),
                    _ => Node::Opaque,
                }));
        }
        _ => return strange().fail(),
    }
    let (Some(Node::Known(Known::Storage(dtype))), Some(&key), Some(Node::Int(len))) =
        (node(1), items.get(2), node(4))
    else {
        return strange().fail();
    };
    let offset = match node(5) {
        Some(Node::Tuple(view)) => match view.get(1).map(|&id| &machine.nodes[id as usize]) {
            Some(Node::Int(offset)) => usize::try_from(*offset).map_err(|_| strange())?,
            _ => return strange().fail(),
        },
        _ => 0,
    };
    Ok(Node::Storage(Storage {
        key,
        dtype: *dtype,
        len: usize::try_from(*len).map_err(|_| strange())?,
        offset,
    }))
}
