"""From stored pictures to network inputs: one random affine map per sample (sampled bilinearly without antialiasing, as at inference), then colours."""
import math

import torch
import torch.nn.functional as F

from model import MEAN, STD

_MEAN, _STD = torch.tensor(MEAN).view(1, 3, 1, 1), torch.tensor(STD).view(1, 3, 1, 1)


def normalise(pixels):
    """(N, rows, columns, 3) bytes, or (N, 3, rows, columns) numbers from 0 to 255, to normalised channels-first inputs."""
    if pixels.dtype == torch.uint8:
        pixels = pixels.permute(0, 3, 1, 2).float()
    return (pixels / 255 - _MEAN) / _STD


def uniform(n, low, high):
    """n random numbers."""
    return torch.rand(n) * (high - low) + low


def warp(pixels, size, mirror, turn, zoom, shift):
    """Bytes to (N, 3, size, size) from 0 to 255; what lies outside the picture is black. Angles in degrees, zoom and shift as parts of the side."""
    n = len(pixels)
    stretch = torch.exp(uniform(n, -0.06, 0.06))
    scale = torch.exp(uniform(n, -zoom, zoom))
    angle = torch.randn(n) * (turn / 2) * math.pi / 180
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    flip = torch.where(mirror, -1.0, 1.0)
    theta = torch.stack([
        torch.stack([cos * stretch * flip, -sin, uniform(n, -shift, shift)], 1),
        torch.stack([sin * stretch * flip, cos, uniform(n, -shift, shift)], 1),
    ], 1)
    grid = F.affine_grid(theta, (n, 3, size, size), align_corners=False)
    return F.grid_sample(pixels.permute(0, 3, 1, 2).float(), grid, padding_mode="zeros", align_corners=False)


def colours(n):
    """For each sample a gain per channel, an offset, a contrast and a share of grey."""
    gain = torch.exp(uniform(n, -0.25, 0.25))[:, None] * torch.exp(torch.randn(n, 3) * 0.05)
    grey = torch.where(torch.rand(n) < 0.12, torch.ones(n), uniform(n, -0.3, 0.3).clamp(-0.3, 0.3))
    return gain.view(n, 3, 1, 1), uniform(n, -20, 20).view(n, 1, 1, 1), torch.exp(uniform(n, -0.25, 0.25)).view(n, 1, 1, 1), grey.view(n, 1, 1, 1)


def recolour(x, values):
    """Applies what `colours` drew; a negative share of grey makes colours stronger."""
    gain, offset, contrast, grey = values
    mean = x.mean((1, 2, 3), keepdim=True)
    x = (x - mean) * contrast + mean + offset
    x = x * gain
    return (x + (x.mean(1, keepdim=True) - x) * grey).clamp(0, 255)


def coarsen(x, p):
    """A part `p` of the batch is made coarser, as an enlarged small face is."""
    pick = torch.nonzero(torch.rand(len(x)) < p).flatten()
    if len(pick):
        size = x.shape[-1]
        small = F.interpolate(x[pick], size=int(size * (0.4 + 0.4 * torch.rand(()).item())), mode="bilinear", antialias=True)
        x[pick] = F.interpolate(small, size=(size, size), mode="bilinear")
    return x


def erase(x, p):
    """A part `p` of the batch loses a rectangle, filled with a random grey."""
    size = x.shape[-1]
    for i in torch.nonzero(torch.rand(len(x)) < p).flatten().tolist():
        h, w = (torch.randint(size // 8, size // 2, (2,))).tolist()
        r, c = torch.randint(0, size - h + 1, ()).item(), torch.randint(0, size - w + 1, ()).item()
        x[i, :, r : r + h, c : c + w] = torch.rand(()).item() * 255
    return x


def face_input(pixels, size):
    """Stored faces to augmented, normalised inputs."""
    n = len(pixels)
    x = recolour(warp(pixels, size, torch.rand(n) < 0.5, 14, 0.13, 0.07), colours(n))
    return normalise(erase(coarsen(x, 0.12), 0.2))


def body_input(pixels, rects, show, size):
    """Stored bodies to augmented, normalised inputs; the face's rectangle, moved a little, is black unless `show` says so."""
    pixels = pixels.clone()
    for i, (x0, y0, x1, y1) in enumerate(rects):
        if not show[i] and x1 > x0:
            wiggle = 0.05 * (x1 - x0)
            x0, y0, x1, y1 = (round(v + torch.randn(()).item() * wiggle) for v in (x0, y0, x1, y1))
            pixels[i, max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)] = 0
    n = len(pixels)
    x = warp(pixels, size, torch.rand(n) < 0.5, 8, 0.08, 0.05)
    black = (x.sum(1, keepdim=True) > 0).float()
    return normalise(erase(coarsen(recolour(x, colours(n)) * black, 0.1), 0.1))
