"""MiVOLO (Kuprashevich and Tolstykh 2023, arXiv 2307.04616) on VOLO (Yuan et al. 2021, arXiv 2106.13112), written for training small ones.

The names in `state_dict` are those of the published checkpoints. Tokens are kept as (batch, rows, columns, channels) throughout.
"""
import json
from dataclasses import asdict, dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
HEAD_WIDTH = 32


@dataclass
class Shape:
    """The numbers that fix a network. `layers` counts the blocks of the outlooker stage and of the three transformer stages."""

    size: int = 96
    layers: tuple = (2, 1, 3, 1)
    width: int = 64
    stem: int = 32
    two_inputs: bool = True
    outputs: int = 3
    head_width: int = HEAD_WIDTH

    def to_json(self):
        """The shape as one line of JSON, read back by `Shape.from_json`."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text):
        """The shape that `to_json` wrote."""
        fields = json.loads(text)
        fields["layers"] = tuple(fields["layers"])
        return Shape(**fields)


class Mlp(nn.Module):
    """Two linear maps with the exact GELU between them, and a residual's worth of nothing else."""

    def __init__(self, width, hidden):
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x)))


class PointwiseMlp(nn.Module):
    """The same as 1×1 convolutions (so are its weights stored), applied to channels-last tokens as plain linear maps."""

    def __init__(self, width, hidden, out):
        super().__init__()
        self.fc1 = nn.Conv2d(width, hidden, 1)
        self.fc2 = nn.Conv2d(hidden, out, 1)

    def forward(self, x):
        x = F.gelu(F.linear(x, self.fc1.weight.flatten(1), self.fc1.bias))
        return F.linear(x, self.fc2.weight.flatten(1), self.fc2.bias)


class OutlookAttention(nn.Module):
    """Each 3×3 window (stride 2) mixes its own nine values with weights predicted from the window's mean; overlapping windows are added up."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.v = nn.Linear(width, width, bias=False)
        self.attn = nn.Linear(width, 81 * heads)
        self.proj = nn.Linear(width, width)

    def forward(self, x):
        b, h, w, c = x.shape
        rows, cols, d = h // 2, w // 2, c // self.heads
        value = F.pad(self.v(x), (0, 0, 1, 1, 1, 1))
        windows = torch.stack([value[:, i : i + h : 2, j : j + w : 2] for i in range(3) for j in range(3)], dim=3)
        windows = windows.view(b, rows, cols, 9, self.heads, d).transpose(3, 4)
        mean = x.view(b, rows, 2, cols, 2, c).mean((2, 4))
        mix = self.attn(mean).view(b, rows, cols, self.heads, 9, 9) * d**-0.5
        out = (mix.softmax(-1) @ windows).transpose(3, 4).reshape(b, rows, cols, 9, c)
        # Row i of a window lies at 2r + i - 1: window row 1 falls on even rows, row 2 on odd ones, and row 0 on the odd row before.
        out = out.view(b, rows, cols, 3, 3, c)
        shifted = F.pad(out[:, 1:, :, 0], (0, 0, 0, 0, 0, 0, 0, 1))
        tall = torch.stack([out[:, :, :, 1], out[:, :, :, 2] + shifted], dim=2).view(b, h, cols, 3, c)
        shifted = F.pad(tall[:, :, 1:, 0], (0, 0, 0, 1))
        return self.proj(torch.stack([tall[:, :, :, 1], tall[:, :, :, 2] + shifted], dim=3).view(b, h, w, c))


class Outlooker(nn.Module):
    """A block of the first stage."""

    def __init__(self, width, heads, drop):
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attn = OutlookAttention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = Mlp(width, 3 * width)
        self.drop = drop

    def forward(self, x):
        x = x + drop_path(self.attn(self.norm1(x)), self.drop, self.training)
        return x + drop_path(self.mlp(self.norm2(x)), self.drop, self.training)


def attend(q, k, v):
    """Scaled dot-product attention written out: on a CPU, for a few dozen tokens, its backward pass takes a quarter of the fused one's time."""
    return ((q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1)).softmax(-1) @ v


class Attention(nn.Module):
    """Plain self-attention without a bias on queries, keys and values."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.proj = nn.Linear(width, width)

    def forward(self, x):
        b, n, c = x.shape
        q, k, v = self.qkv(x).view(b, n, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        return self.proj(attend(q, k, v).transpose(1, 2).reshape(b, n, c))


class Transformer(nn.Module):
    """A block of the second to fourth stage."""

    def __init__(self, width, heads, drop):
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attn = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = Mlp(width, 3 * width)
        self.drop = drop

    def forward(self, x):
        b, h, w, c = x.shape
        x = x.reshape(b, h * w, c)
        x = x + drop_path(self.attn(self.norm1(x)), self.drop, self.training)
        x = x + drop_path(self.mlp(self.norm2(x)), self.drop, self.training)
        return x.view(b, h, w, c)


class ClassAttention(nn.Module):
    """The class token looks at all tokens, itself included."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.kv = nn.Linear(width, 2 * width, bias=False)
        self.q = nn.Linear(width, width, bias=False)
        self.proj = nn.Linear(width, width)

    def forward(self, x):
        b, n, c = x.shape
        k, v = self.kv(x).view(b, n, 2, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        q = self.q(x[:, :1]).view(b, 1, self.heads, c // self.heads).transpose(1, 2)
        return self.proj(attend(q, k, v).transpose(1, 2).reshape(b, 1, c))


class ClassBlock(nn.Module):
    """Updates the class token only."""

    def __init__(self, width, heads):
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attn = ClassAttention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = Mlp(width, 3 * width)

    def forward(self, x):
        cls = x[:, :1] + self.attn(self.norm1(x))
        cls = cls + self.mlp(self.norm2(cls))
        return torch.cat([cls, x[:, 1:]], dim=1)


class Downsample(nn.Module):
    """2×2 patches into one token of twice the width."""

    def __init__(self, width, out):
        super().__init__()
        self.proj = nn.Conv2d(width, out, 2, 2)

    def forward(self, x):
        return self.proj(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


class RelativeTable(nn.Module):
    """Logits for the offset of a key from its query, one table for rows and one for columns."""

    def __init__(self, side, width):
        super().__init__()
        self.side = side
        self.height_rel = nn.Parameter(torch.randn(2 * side - 1, width) * width**-0.5)
        self.width_rel = nn.Parameter(torch.randn(2 * side - 1, width) * width**-0.5)
        at = torch.arange(side)
        self.register_buffer("offset", at[None, :] - at[:, None] + side - 1, persistent=False)

    def forward(self, q):
        """(batch, rows, columns, width) queries to (batch, tokens, tokens) logits."""
        b, s = q.shape[0], self.side
        by_row = (q @ self.height_rel.t()).gather(3, self.offset[:, None, :].expand(b, s, s, s))
        by_column = (q @ self.width_rel.t()).gather(3, self.offset[None, :, :].expand(b, s, s, s))
        return (by_row[..., :, None] + by_column[..., None, :]).reshape(b, s * s, s * s)


class Fusion(nn.Module):
    """Face queries take body values, body queries face values; both together are normalised and brought back to one width."""

    def __init__(self, side, width):
        super().__init__()
        self.qkv_f = nn.Conv2d(width, 3 * width, 1, bias=False)
        self.qkv_p = nn.Conv2d(width, 3 * width, 1, bias=False)
        self.pos_embed = RelativeTable(side, width)
        self.norm = nn.LayerNorm([2 * width, side, side])
        self.mlp = PointwiseMlp(2 * width, 4 * width, width)

    def attend(self, q, k, v):
        b, h, w, c = q.shape
        k, v = k.reshape(b, h * w, c), v.reshape(b, h * w, c)
        logits = (q.reshape(b, h * w, c) @ k.transpose(1, 2)) * c**-0.5 + self.pos_embed(q)
        return (logits.softmax(-1) @ v).view(b, h, w, c)

    def forward(self, face, body):
        q_f, k_f, v_f = F.linear(face, self.qkv_f.weight.flatten(1)).chunk(3, dim=3)
        q_p, k_p, v_p = F.linear(body, self.qkv_p.weight.flatten(1)).chunk(3, dim=3)
        both = torch.cat([self.attend(q_f, k_p, v_p), self.attend(q_p, k_f, v_f)], dim=3)
        both = F.layer_norm(both, both.shape[1:], self.norm.weight.permute(1, 2, 0), self.norm.bias.permute(1, 2, 0), self.norm.eps)
        return self.mlp(both)


def stem(width):
    """Three convolutions to half the side, numbered as in the published checkpoints."""
    layers = []
    for i, (inputs, kernel, stride) in enumerate([(3, 7, 2), (width, 3, 1), (width, 3, 1)]):
        layers += [nn.Conv2d(inputs, width, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


class PatchEmbed(nn.Module):
    """Pixels to tokens of 8×8 pixels."""

    def __init__(self, shape):
        super().__init__()
        self.two = shape.two_inputs
        if self.two:
            self.conv1, self.conv2 = stem(shape.stem), stem(shape.stem)
            self.proj1 = nn.Conv2d(shape.stem, shape.width, 4, 4)
            self.proj2 = nn.Conv2d(shape.stem, shape.width, 4, 4)
            self.map = Fusion(shape.size // 8, shape.width)
        else:
            self.conv = stem(shape.stem)
            self.proj = nn.Conv2d(shape.stem, shape.width, 4, 4)

    def face_tokens(self, x):
        """Face pixels to channels-last tokens."""
        tokens = self.proj1(self.conv1(x)) if self.two else self.proj(self.conv(x))
        return tokens.permute(0, 2, 3, 1)

    def body_tokens(self, x):
        """Body pixels to channels-last tokens."""
        return self.proj2(self.conv2(x)).permute(0, 2, 3, 1)

    def forward(self, x):
        if self.two:
            return self.map(self.face_tokens(x[:, :3]), self.body_tokens(x[:, 3:]))
        return self.face_tokens(x)


class Network(nn.Module):
    """Normalised pixels (N, 6 or 3, S, S) to (N, 3): logits of male and female, and the normalised age."""

    def __init__(self, shape, drop_path=0.0):
        super().__init__()
        self.shape = shape
        wide, heads = 2 * shape.width, shape.width // shape.head_width
        side = shape.size // 16
        total = sum(shape.layers)
        drops = iter([drop_path * i / max(total - 1, 1) for i in range(total)])
        self.patch_embed = PatchEmbed(shape)
        self.network = nn.ModuleList([
            nn.Sequential(*[Outlooker(shape.width, heads, next(drops)) for _ in range(shape.layers[0])]),
            Downsample(shape.width, wide),
            *[nn.Sequential(*[Transformer(wide, 2 * heads, next(drops)) for _ in range(n)]) for n in shape.layers[1:]],
        ])
        self.pos_embed = nn.Parameter(torch.zeros(1, side, side, wide))
        self.cls_token = nn.Parameter(torch.zeros(1, 1, wide))
        self.post_network = nn.ModuleList([ClassBlock(wide, 2 * heads) for _ in range(2)])
        self.norm = nn.LayerNorm(wide)
        self.head = nn.Linear(wide, shape.outputs)
        self.aux_head = nn.Linear(wide, shape.outputs)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        nn.init.trunc_normal_(self.pos_embed, std=0.02)
        nn.init.trunc_normal_(self.cls_token, std=0.02)

    def trunk(self, tokens):
        """Channels-last tokens to the outputs. A face-only network also takes a smaller picture: its positions are then interpolated."""
        x = self.network[1](self.network[0](tokens))
        pos = self.pos_embed
        if x.shape[1] != pos.shape[1]:
            pos = F.interpolate(pos.permute(0, 3, 1, 2), size=x.shape[1:3], mode="bilinear").permute(0, 2, 3, 1)
        x = x + pos
        for stage in self.network[2:]:
            x = stage(x)
        x = torch.cat([self.cls_token.expand(x.shape[0], -1, -1), x.flatten(1, 2)], dim=1)
        for block in self.post_network:
            x = block(x)
        x = self.norm(x)
        return self.head(x[:, 0]) + 0.5 * self.aux_head(x[:, 1:]).amax(dim=1)

    def forward(self, x):
        return self.trunk(self.patch_embed(x))


def drop_path(x, p, training):
    """Leaves out the whole branch of a random `p` of the samples, scaling the others up (stochastic depth)."""
    if not training or p == 0.0:
        return x
    keep = torch.rand(x.shape[0], *[1] * (x.dim() - 1)) >= p
    return x * (keep.to(x.dtype) / (1.0 - p))
