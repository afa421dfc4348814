"""Compares model.py with reference outputs of the published implementation.

Usage: check_model.py FOLDER, where FOLDER has layouts.json, expected.json and make_checkpoint.py (see the README).
"""
import importlib.util
import json
import pathlib
import sys

import torch

from model import Network, Shape


def main(folder):
    """Fails unless every layout's output is within 1e-4 of the reference."""
    spec = importlib.util.spec_from_file_location("make_checkpoint", folder / "make_checkpoint.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    layouts = json.loads((folder / "layouts.json").read_text())
    expected = json.loads((folder / "expected.json").read_text())
    worst = 0.0
    for name, layout in layouts.items():
        if name not in expected:
            continue
        a = layout["architecture"]
        width = a["embed_dims"][0]
        shape = Shape(layout["input_size"], tuple(a["layers"]), width, a["stem_hidden_dim"], layout["in_chans"] == 6,
                      layout["num_classes"], width // a["num_heads"][0])
        network = Network(shape).eval()
        network.load_state_dict({n: torch.from_numpy(t) for n, t in make.weights(layout).items()})
        reference = torch.tensor(expected[name]["output"])
        with torch.no_grad():
            output = network(torch.from_numpy(make.inputs(layout, expected[name]["batch"])))
        difference = (output - reference.view_as(output)).abs().max().item()
        worst = max(worst, difference)
        print(f"{name}: largest difference {difference:.2e}")
    if worst > 1e-4:
        sys.exit("the network differs from the reference")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
