"""Writes the EMA weights of a state.pt as a MiVOLO checkpoint (.pth.tar), which `veche model import` and the official loader read.

Usage: export.py STATE OUT.pth.tar
"""
import sys

import torch

from model import Network, Shape
from train import AVG_AGE, MAX_AGE, MIN_AGE


def weights(state):
    """The EMA weights with the age's rows counted in parts of the age range instead of SPREAD years (a positive factor, so the maximum over tokens is not disturbed)."""
    out = {name: tensor.clone().contiguous() for name, tensor in state["ema"].items()}
    for name in ("head.weight", "head.bias", "aux_head.weight", "aux_head.bias"):
        out[name][2:] *= state["spread"] / (MAX_AGE - MIN_AGE)
    return out


def load(path):
    """The network of a checkpoint that this script wrote, for the checks."""
    checkpoint = torch.load(path, weights_only=True)
    network = Network(Shape.from_json(checkpoint["shape"]))
    network.load_state_dict(checkpoint["state_dict_ema"])
    return network.eval()


if __name__ == "__main__":
    state = torch.load(sys.argv[1], weights_only=False)
    tensors = weights(state)
    torch.save({
        "min_age": MIN_AGE, "max_age": MAX_AGE, "avg_age": AVG_AGE, "no_gender": False,
        "with_persons_model": Shape.from_json(state["shape"]).two_inputs,
        "shape": state["shape"], "epoch": state["epoch"],
        "state_dict": tensors, "state_dict_ema": tensors,
    }, sys.argv[2])
