"""MiVOLO as its authors compute it, for `veche bench model`: PyTorch eager, and ONNX Runtime on an export with Col2Im.

    python network.py PROGRAM WEIGHTS INPUT FOLDER THREADS

PROGRAM: pytorch, col2im. WEIGHTS: safetensors with the published names (of mivolo_d1 or any of its sizes); INPUT: .npy, (photos, 6, S, S).
Prints one line when it is ready, then answers each line of stdin with one of JSON:
    time BATCH RUNS    seconds of each of RUNS runs on the first BATCH photos
    answer BATCH       the network's raw outputs for them
    peak               floating point operations per second of a large product of matrices

The network is written with the operations of the published one: unfold and fold in the outlook attention, transposes between channels first and
last, relative positions by padding and reshaping, and so on. Nothing of it is tuned, nothing slowed down; inference_mode, all weights constant.
`network.py check FOLDER` compares it with reference outputs (layouts.json, expected.json and make_checkpoint.py in that folder).
"""

import importlib.util
import json
import math
import pathlib
import sys
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


def stem(width):
    layers = []
    for inputs, kernel, stride in [(3, 7, 2), (width, 3, 1), (width, 3, 1)]:
        layers += [nn.Conv2d(inputs, width, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


class Mlp(nn.Module):
    def __init__(self, width, hidden, out, pointwise=False):
        super().__init__()
        kind = (lambda a, b: nn.Conv2d(a, b, 1)) if pointwise else nn.Linear
        self.fc1, self.act, self.fc2 = kind(width, hidden), nn.GELU(), kind(hidden, out)

    def forward(self, x):
        return self.fc2(self.act(self.fc1(x)))


class Relative(nn.Module):
    """Logits of relative rows and columns: every query by every offset, then shifted into place by padding and reshaping."""

    def __init__(self, side, width):
        super().__init__()
        self.side = side
        self.height_rel = nn.Parameter(torch.zeros(2 * side - 1, width))
        self.width_rel = nn.Parameter(torch.zeros(2 * side - 1, width))

    def along(self, q, table, order):
        s = self.side
        x = (q @ table.transpose(-1, -2)).reshape(-1, s, 2 * s - 1)
        x = F.pad(F.pad(x, [0, 1]).flatten(1), [0, s - 1]).reshape(-1, s + 1, 2 * s - 1)[:, :s, s - 1 :]
        return x.reshape(-1, s, 1, s, s).expand(-1, -1, s, -1, -1).permute(order)

    def forward(self, q):
        s = self.side
        q = q.reshape(-1, s, s, q.shape[-1])
        by_width = self.along(q, self.width_rel, (0, 1, 3, 2, 4))
        by_height = self.along(q.transpose(1, 2), self.height_rel, (0, 3, 1, 4, 2))
        return (by_width + by_height).reshape(-1, s * s, s * s)


class Fusion(nn.Module):
    def __init__(self, side, width):
        super().__init__()
        self.side, self.width = side, width
        self.qkv_f = nn.Conv2d(width, 3 * width, 1, bias=False)
        self.qkv_p = nn.Conv2d(width, 3 * width, 1, bias=False)
        self.pos_embed = Relative(side, width)
        self.norm = nn.LayerNorm([2 * width, side, side])
        self.mlp = Mlp(2 * width, 4 * width, width, pointwise=True)

    def attend(self, q, k, v):
        q, v = q.transpose(-1, -2), v.transpose(-1, -2)
        logits = (q @ k) * self.width**-0.5 + self.pos_embed(q)
        out = logits.softmax(-1) @ v
        return out.transpose(-1, -2).reshape(-1, self.width, self.side, self.side)

    def forward(self, face, body):
        n = self.side * self.side
        qf, kf, vf = self.qkv_f(face).reshape(-1, 3 * self.width, n).split(self.width, 1)
        qp, kp, vp = self.qkv_p(body).reshape(-1, 3 * self.width, n).split(self.width, 1)
        both = torch.cat([self.attend(qf, kp, vp), self.attend(qp, kf, vf)], dim=1)
        return self.mlp(self.norm(both))


class PatchEmbed(nn.Module):
    def __init__(self, side, stem_width, width, two):
        super().__init__()
        self.two = two
        if two:
            self.conv1, self.conv2 = stem(stem_width), stem(stem_width)
            self.proj1, self.proj2 = nn.Conv2d(stem_width, width, 4, 4), nn.Conv2d(stem_width, width, 4, 4)
            self.map = Fusion(side, width)
        else:
            self.conv, self.proj = stem(stem_width), nn.Conv2d(stem_width, width, 4, 4)

    def forward(self, x):
        if not self.two:
            return self.proj(self.conv(x))
        return self.map(self.proj1(self.conv1(x[:, :3])), self.proj2(self.conv2(x[:, 3:])))


class OutlookAttention(nn.Module):
    def __init__(self, width, heads, side):
        super().__init__()
        self.heads, self.head, self.side, self.half = heads, width // heads, side, math.ceil(side / 2)
        self.v = nn.Linear(width, width, bias=False)
        self.attn = nn.Linear(width, 81 * heads)
        self.proj = nn.Linear(width, width)
        self.unfold = nn.Unfold(3, padding=1, stride=2)
        self.pool = nn.AvgPool2d(2, 2, ceil_mode=True)

    def forward(self, x):
        n = self.half * self.half
        v = self.unfold(self.v(x).permute(0, 3, 1, 2))
        v = v.reshape(-1, self.heads, self.head, 9, n).permute(0, 1, 4, 3, 2)
        mix = self.attn(self.pool(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1))
        mix = mix.reshape(-1, n, self.heads, 9, 9).permute(0, 2, 1, 3, 4)
        mix = (mix * self.head**-0.5).softmax(-1)
        x = (mix @ v).permute(0, 1, 4, 3, 2).reshape(-1, self.heads * self.head * 9, n)
        x = F.fold(x, output_size=(self.side, self.side), kernel_size=3, padding=1, stride=2)
        return self.proj(x.permute(0, 2, 3, 1))


class Attention(nn.Module):
    def __init__(self, width, heads, side):
        super().__init__()
        self.width, self.heads, self.head, self.side = width, heads, width // heads, side
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.proj = nn.Linear(width, width)

    def forward(self, x):
        n = self.side * self.side
        q, k, v = self.qkv(x).reshape(-1, n, 3, self.heads, self.head).permute(2, 0, 3, 1, 4).unbind(0)
        share = ((q @ k.transpose(-2, -1)) * self.head**-0.5).softmax(-1)
        return self.proj((share @ v).transpose(1, 2).reshape(-1, self.side, self.side, self.width))


class Block(nn.Module):
    def __init__(self, width, hidden, attention):
        super().__init__()
        self.norm1, self.attn = nn.LayerNorm(width), attention
        self.norm2, self.mlp = nn.LayerNorm(width), Mlp(width, hidden, width)

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class ClassAttention(nn.Module):
    def __init__(self, width, heads, tokens):
        super().__init__()
        self.width, self.heads, self.head, self.tokens = width, heads, width // heads, tokens
        self.kv = nn.Linear(width, 2 * width, bias=False)
        self.q = nn.Linear(width, width, bias=False)
        self.proj = nn.Linear(width, width)

    def forward(self, x):
        k, v = self.kv(x).reshape(-1, self.tokens, 2, self.heads, self.head).permute(2, 0, 3, 1, 4).unbind(0)
        q = self.q(x[:, :1]).reshape(-1, self.heads, 1, self.head) * self.head**-0.5
        share = (q @ k.transpose(-2, -1)).softmax(-1)
        return self.proj((share @ v).transpose(1, 2).reshape(-1, 1, self.width))


class ClassBlock(Block):
    def forward(self, x):
        first = x[:, :1]
        first = first + self.attn(self.norm1(x))
        first = first + self.mlp(self.norm2(first))
        return torch.cat([first, x[:, 1:]], dim=1)


class Downsample(nn.Module):
    def __init__(self, width, out):
        super().__init__()
        self.proj = nn.Conv2d(width, out, 2, 2)

    def forward(self, x):
        return self.proj(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


class Mivolo(nn.Module):
    """(N, 6 or 3, S, S) to (N, 3): logits of male and female, and the age between −1 and 1 or so."""

    def __init__(self, size, layers, widths, heads, stem_width, two, outputs):
        super().__init__()
        (narrow, wide), (few, many), side = widths, heads, size // 8
        half = side // 2
        self.patch_embed = PatchEmbed(side, stem_width, narrow, two)
        first = [Block(narrow, 3 * narrow, OutlookAttention(narrow, few, side)) for _ in range(layers[0])]
        rest = [[Block(wide, 3 * wide, Attention(wide, many, half)) for _ in range(n)] for n in layers[1:]]
        self.network = nn.ModuleList([nn.Sequential(*first), Downsample(narrow, wide), *[nn.Sequential(*r) for r in rest]])
        self.pos_embed = nn.Parameter(torch.zeros(1, half, half, wide))
        self.cls_token = nn.Parameter(torch.zeros(1, 1, wide))
        self.post_network = nn.ModuleList([ClassBlock(wide, 3 * wide, ClassAttention(wide, many, half * half + 1)) for _ in range(2)])
        self.norm, self.head, self.aux_head = nn.LayerNorm(wide), nn.Linear(wide, outputs), nn.Linear(wide, outputs)

    def forward(self, x):
        x = self.patch_embed(x).permute(0, 2, 3, 1)
        x = self.network[1](self.network[0](x)) + self.pos_embed
        for stage in self.network[2:]:
            x = stage(x)
        x = x.flatten(1, 2)
        x = torch.cat([self.cls_token.expand(x.shape[0], -1, -1), x], dim=1)
        for block in self.post_network:
            x = block(x)
        x = self.norm(x)
        return self.head(x[:, 0]) + 0.5 * self.aux_head(x[:, 1:]).max(1)[0]


def built(tensors):
    """The network of these tensors, found from their shapes; heads are 32 channels wide."""
    shape = {name: tuple(t.shape) for name, t in tensors.items()}
    blocks = lambda prefix: len({n.split(".")[2] for n in shape if n.startswith(prefix)})
    narrow, wide = shape["network.1.proj.weight"][1], shape["pos_embed"][3]
    two = "patch_embed.conv1.0.weight" in shape
    few = shape["network.0.0.attn.attn.weight"][0] // 81
    layers = [blocks("network.0.")] + [blocks(f"network.{i}.") for i in range(2, 9) if blocks(f"network.{i}.")]
    net = Mivolo(
        16 * shape["pos_embed"][1], layers, (narrow, wide), (few, few * wide // narrow),
        shape["patch_embed.conv1.0.weight" if two else "patch_embed.conv.0.weight"][0], two, shape["head.weight"][0],
    )
    net.load_state_dict({n: torch.from_numpy(np.array(t)) for n, t in tensors.items()})
    return net.eval()


def check(folder):
    spec = importlib.util.spec_from_file_location("make_checkpoint", folder / "make_checkpoint.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    layouts = json.loads((folder / "layouts.json").read_text())
    expected = json.loads((folder / "expected.json").read_text())
    for name, layout in layouts.items():
        with torch.inference_mode():
            out = built(make.weights(layout))(torch.from_numpy(make.inputs(layout, expected[name]["batch"]))).numpy()
        worst = np.abs(out - np.array(expected[name]["output"]).reshape(out.shape)).max()
        print(f"{name}: largest difference {worst:.1e}")
        assert worst < 1e-4


def pytorch(tensors, threads):
    net = built(tensors)

    def run(pixels):
        with torch.inference_mode():
            return net(torch.from_numpy(pixels)).numpy()

    return f"PyTorch {torch.__version__}", run


def col2im(tensors, threads, folder):
    import onnx
    import onnxruntime as ort

    net, path = built(tensors), folder / "col2im.onnx"
    size = 16 * tensors["pos_embed"].shape[1]
    channels = 6 if "patch_embed.conv1.0.weight" in tensors else 3
    example = torch.zeros(2, channels, size, size)
    with torch.inference_mode():
        torch.onnx.export(net, (example,), path, opset_version=18, dynamo=False, input_names=["input"], output_names=["output"],
                          dynamic_axes={"input": {0: "batch"}, "output": {0: "batch"}})
    assert any(n.op_type == "Col2Im" for n in onnx.load(path).graph.node)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return f"ONNX Runtime {ort.__version__} with Col2Im", lambda pixels: session.run(None, {"input": pixels})[0]


def peak(side=2048):
    a, b = torch.rand(side, side), torch.rand(side, side)
    with torch.inference_mode():
        a @ b
        seconds = []
        for _ in range(10):
            start = time.perf_counter()
            a @ b
            seconds.append(time.perf_counter() - start)
    return 2 * side**3 / min(seconds)


def main(program, weights, pixels, folder, threads):
    from safetensors.numpy import load_file

    torch.set_num_threads(int(threads))
    tensors = load_file(weights)
    pixels = np.load(pixels)
    if program == "pytorch":
        name, run = pytorch(tensors, int(threads))
    else:
        name, run = col2im(tensors, int(threads), pathlib.Path(folder))
    print(json.dumps({"ready": name}), flush=True)
    for line in sys.stdin:
        command, *numbers = line.split()
        if command == "peak":
            said = peak()
        elif command == "answer":
            said = run(pixels[: int(numbers[0])]).tolist()
        else:
            batch, runs = map(int, numbers)
            part, said = np.ascontiguousarray(pixels[:batch]), []
            for _ in range(runs):
                start = time.perf_counter()
                run(part)
                said.append(time.perf_counter() - start)
        print(json.dumps(said), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "check":
        check(pathlib.Path(sys.argv[2]))
    else:
        main(*sys.argv[1:])
