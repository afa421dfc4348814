"""Wrote the checkpoints and models of the corpus beside it: python corpus.py (torch 2.15.0, numpy 2.4.6, safetensors 0.8.0, onnx 1.23.2).

Tiny ones of every kind that veche reads: both formats of torch.save, EMA twins, wrapped names, numpy numbers, argparse leftovers, views, half precision.
"""

import argparse
import pathlib

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper
from safetensors.numpy import save_file

HERE = pathlib.Path(__file__).parent
two = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
ages = {"min_age": np.float64(1), "max_age": np.int32(95), "avg_age": 48.0, "no_gender": False, "with_persons_model": True}
twins = {
    "state_dict": {"w": two, "view": two.t(), "half": two.half(), "n": torch.tensor(3)},
    "state_dict_ema": {"module.w": two + 1, "fds.running_mean": two[0]},
    "args": argparse.Namespace(lr=0.1, model="mivolo_d1_224", ema=True),
    "epoch": 7,
    **ages,
}
torch.save(twins, HERE / "checkpoint/twins.pth")
torch.save({"state_dict": {"w": two}, **ages}, HERE / "checkpoint/old.pth", _use_new_zipfile_serialization=False)
save_file({"mivolo.model.w": two.numpy(), "mivolo.model.b": np.float16([1, 2])}, HERE / "checkpoint/v2.safetensors")

x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3, 4, 4])
y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 5])
w = helper.make_tensor("w", TensorProto.FLOAT, [48, 5], [0.1] * 240)
shape = helper.make_tensor("shape", TensorProto.INT64, [2], [-1, 48])
nodes = [helper.make_node("Reshape", ["x", "shape"], ["flat"]), helper.make_node("MatMul", ["flat", "w"], ["y"])]
model = helper.make_model(helper.make_graph(nodes, "classes", [x], [y], [w, shape]), opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
helper.set_model_props(model, {"veche.description": (HERE / "description/classes.toml").read_text(), "veche.variant": "classes"})
onnx.save(model, HERE / "model/classes.onnx")
