"""Trains MiVOLO-nano on the arrays that data.py wrote. See README.md for the whole recipe.

Stage `face` trains a face-only network; stage `both` starts from it, freezes its stem and adds the body. One process per core, gradients averaged,
so that on a busy machine they wait for each other once a step and not inside every operation.
"""
import argparse
import copy
import csv
import json
import math
import os
import pathlib
import time

import numpy as np
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
import torch.nn.functional as F

import augment
import data as data_module
from model import Network, Shape
from start import both_from_face

# Ages as the network states them: out * (MAX - MIN) + AVG. While training, the output counts in units of SPREAD years (see `export.py`).
MIN_AGE, MAX_AGE, AVG_AGE, SPREAD = 1, 95, 48.0, 19.0


def lds_weights(ages, power, width=2.0):
    """Label distribution smoothing (Yang et al. 2021): one over the smoothed share of each age, to a power, clipped, mean 1 over the samples."""
    count = np.bincount(np.rint(ages).astype(int), minlength=130).astype(float)
    kernel = np.exp(-0.5 * (np.arange(-8, 9) / width) ** 2)
    dense = np.convolve(count, kernel / kernel.sum(), mode="same")
    weight = np.clip((dense[dense > 0].max() / np.maximum(dense, 1e-9)) ** power, 1.0, 8.0)
    return weight / weight[np.rint(ages).astype(int)].mean()


class Data:
    """The training rows, memory mapped, with targets and weights."""

    def __init__(self, folder, power, apparent):
        rows = json.loads((folder / "train.json").read_text())
        self.face, self.body = (np.load(folder / f"train_{k}.npy", mmap_mode="r") for k in ("face", "body"))
        self.age = np.array([r["age"] for r in rows])
        self.sex = torch.tensor([r["sex"] for r in rows])
        self.at = np.array([r["body"] for r in rows])
        self.has_face = np.array([r["has_face"] for r in rows])
        self.rect = [r["rect"] for r in rows]
        known = self.age >= 0
        weight = np.where(known, lds_weights(self.age[known], power)[np.rint(np.maximum(self.age, 0)).astype(int)], 0.0)
        self.weight = torch.tensor(weight, dtype=torch.float32)
        # People's mean guess, brought onto real ages by a quadratic fit, is a second, calmer reading of the same age.
        guess = np.array([r["apparent"] for r in rows])
        has = known & (guess >= 0)
        age = self.age.copy()
        if apparent > 0 and has.sum() > 100:
            fit = np.polyfit(guess[has], self.age[has], 2)
            age[has] = (1 - apparent) * self.age[has] + apparent * np.polyval(fit, guess[has])
        self.target = torch.tensor((age - AVG_AGE) / SPREAD, dtype=torch.float32)

    def order(self, epoch, seed, times):
        """The epoch's rows: all in random order, those with a body `times` times."""
        rows = np.concatenate([np.arange(len(self.age))] + [np.flatnonzero(self.at >= 0)] * (times - 1))
        return np.random.default_rng([seed, epoch]).permutation(rows)


def losses(out, target, weight, sex):
    """Huber loss of the age (quadratic within half a SPREAD), weighted, and cross entropy of the sex where it is known."""
    age = (F.huber_loss(out[:, 2], target, reduction="none", delta=0.5) * weight).mean()
    known = sex >= 0
    gender = F.cross_entropy(out[:, :2], sex.clamp(min=0), reduction="none", label_smoothing=0.05)
    return age + 0.25 * (gender * known).sum() / len(sex)


def face_step(net, data, rows, size):
    """The loss of one batch of faces."""
    x = augment.face_input(torch.from_numpy(data.face[rows]), size)
    with torch.autocast("cpu", torch.bfloat16):
        out = net(x.to(memory_format=torch.channels_last))
    return losses(out.float(), data.target[rows], data.weight[rows], data.sex[rows])


def both_step(net, data, rows, args):
    """The loss of one batch of faces and bodies, each missing for some. The stem of the bodies runs on those that are there and on one empty picture."""
    patch = net.patch_embed
    has_body = torch.tensor(data.at[rows] >= 0)
    has_face = torch.tensor(data.has_face[rows])
    dice = torch.rand(len(rows))
    has_face &= ~(has_body & (dice < args.face_dropout))
    has_body &= ~(has_face & (dice > 1 - args.body_dropout))
    empty = augment.normalise(torch.zeros(1, 3, net.shape.size, net.shape.size))
    show = torch.rand(len(rows)) < args.show_face
    with torch.autocast("cpu", torch.bfloat16):
        tokens = []
        for here, run in ((has_face, patch.face_tokens), (has_body, patch.body_tokens)):
            pick = torch.nonzero(here).flatten()
            if run == patch.face_tokens:
                x = augment.face_input(torch.from_numpy(data.face[rows[pick.numpy()]]), net.shape.size)
            elif len(pick):
                who = rows[pick.numpy()]
                x = augment.body_input(torch.from_numpy(data.body[data.at[who]]), [data.rect[i] for i in who], show[pick], net.shape.size)
            else:
                x = empty[:0]
            made = run(torch.cat([x, empty]).to(memory_format=torch.channels_last))
            place = torch.full((len(rows),), len(pick))
            place[pick] = torch.arange(len(pick))
            tokens.append(made[place])
        out = net.trunk(patch.map(*tokens))
    return losses(out.float(), data.target[rows], data.weight[rows], data.sex[rows])


@torch.inference_mode()
def predict(net, face, body):
    """Outputs for arrays of bytes; either may be None: nothing there."""
    n = len(face if face is not None else body)
    size = net.shape.size
    outs = []
    for i in range(0, n, 100):
        parts = []
        for a in (face, body) if net.shape.two_inputs else (face,):
            parts.append(augment.normalise(torch.from_numpy(a[i : i + 100]) if a is not None else torch.zeros(min(100, n - i), 3, size, size)))
        with torch.autocast("cpu", torch.bfloat16):
            outs.append(net(torch.cat(parts, 1).to(memory_format=torch.channels_last)).float())
    return torch.cat(outs)


def validate(net, folder):
    """Mean absolute errors in years and the share of sexes that are right, by set and by what the network sees."""
    net = copy.deepcopy(net).eval()
    rows = json.loads((folder / "valid.json").read_text())
    face, body, whole = (np.load(folder / f"valid_{k}.npy", mmap_mode="r") for k in ("face8", "body8", "whole8"))
    age = torch.tensor([r["age"] for r in rows])
    sex = torch.tensor([r["sex"] for r in rows])
    sets = np.array([r["set"] for r in rows])
    figures = {}
    for name in sorted(set(sets.tolist())):
        pick = np.flatnonzero(sets == name)
        bodies = any(rows[i]["body"] >= 0 for i in pick)
        views = {"face": (face[pick], None)}
        if bodies and net.shape.two_inputs:
            views.update({"face+body": (face[pick], body[pick]), "body": (None, body[pick]), "face+whole": (face[pick], whole[pick])})
        for view, (f, b) in views.items():
            out = predict(net, f, b)
            years = out[:, 2] * SPREAD + AVG_AGE
            figures[f"{name} {view} MAE"] = (years - age[pick]).abs().mean().item()
            if (sex[pick] >= 0).any():
                figures[f"{name} {view} sex"] = (out[:, :2].argmax(1) == sex[pick])[sex[pick] >= 0].float().mean().item()
    return figures


def save(path, state):
    """Writes a file whole or not at all."""
    torch.save(state, str(path) + ".part")
    os.replace(str(path) + ".part", path)


def worker(rank, args):
    """One process of the training."""
    torch.set_num_threads(args.threads)
    if args.workers > 1:
        dist.init_process_group("gloo", init_method=f"file://{args.out.resolve()}/.meet", rank=rank, world_size=args.workers)
    data = Data(args.arrays, args.lds_power, args.apparent)
    state_file, log_file = args.out / "state.pt", args.out / "log.csv"
    torch.manual_seed(args.seed)
    if args.stage == "face":
        net = Network(Shape(args.size, tuple(args.layers), args.width, args.stem, False), args.drop_path)
        torch.nn.init.constant_(net.head.bias[2:], float(np.mean(data.target.numpy())))
    else:
        faces = np.stack([data_module.resize(data.face[i], args.size, args.size) for i in np.flatnonzero(data.has_face)[:: max(len(data.age) // 200, 1)]])
        net = both_from_face(args.start, args.drop_path, augment.normalise(torch.from_numpy(faces)))
        for p in [*net.patch_embed.conv1.parameters(), *net.patch_embed.proj1.parameters()]:
            p.requires_grad_(False)
    net = net.to(memory_format=torch.channels_last)
    ema = copy.deepcopy(net)
    trained = [(n, p) for n, p in net.named_parameters() if p.requires_grad]
    plain = [p for n, p in trained if p.dim() < 2 or n in ("pos_embed", "cls_token") or n.endswith("_rel") or ".map.norm." in n]
    decayed = [p for _, p in trained if not any(p is q for q in plain)]
    opt = torch.optim.AdamW([{"params": decayed, "weight_decay": args.weight_decay}, {"params": plain, "weight_decay": 0.0}], lr=args.lr, betas=(0.9, 0.99))
    epoch, step, spent = 0, 0, 0.0
    if args.resume and state_file.exists():
        state = torch.load(state_file, weights_only=False)
        net.load_state_dict(state["net"])
        ema.load_state_dict(state["ema"])
        opt.load_state_dict(state["opt"])
        epoch, step, spent = state["epoch"], state["step"], state["spent"]
        if rank == 0:
            print(f"resumed after epoch {epoch}, {spent / 60:.1f} minutes spent", flush=True)
    if (args.minutes and spent >= args.minutes * 60) or (args.epochs and epoch >= args.epochs):
        print("this training has ended", flush=True)
        return
    began, rate = time.time() - spent, args.batch // args.workers

    def progress():
        """The part of the schedule that is done, from 0 to 1, the same in all processes."""
        part = torch.tensor([(time.time() - began) / (args.minutes * 60) if args.minutes else (epoch + at / len(order)) / args.epochs], dtype=torch.float64)
        if args.workers > 1 and args.minutes:
            dist.broadcast(part, 0)
        return part.item()

    done = False
    while not done:
        torch.manual_seed(args.seed * 1_000_003 + epoch * 101 + rank)
        order = data.order(epoch, args.seed, args.body_times if args.stage == "both" else 1)
        total, seen, at = 0.0, 0, 0
        last_print = time.time()
        net.train()
        if args.stage == "both":
            net.patch_embed.conv1.eval()
        while at + args.batch <= len(order):
            part = progress()
            if part >= 1:
                done = True
                break
            rows = np.sort(order[at + rank * rate : at + (rank + 1) * rate])
            lr = args.lr * min(1.0, (step + 1) / args.warm_up) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * part)))
            for group in opt.param_groups:
                group["lr"] = lr
            if args.stage == "face":
                loss = face_step(net, data, rows, args.first_size if part < args.first_part else args.size)
            else:
                loss = both_step(net, data, rows, args)
            opt.zero_grad()
            loss.backward()
            if args.workers > 1:
                flat = torch.cat([p.grad.flatten() for _, p in trained])
                dist.all_reduce(flat)
                flat /= args.workers
                start = 0
                for _, p in trained:
                    p.grad.copy_(flat[start : start + p.numel()].view_as(p))
                    start += p.numel()
            torch.nn.utils.clip_grad_norm_([p for _, p in trained], 2.0)
            opt.step()
            step, at = step + 1, at + args.batch
            keep = min(args.ema, (1 + step) / (10 + step))
            with torch.no_grad():
                for a, b in zip(ema.state_dict().values(), net.state_dict().values()):
                    if a.dtype.is_floating_point:
                        a.lerp_(b, 1 - keep)
                    else:
                        a.copy_(b)
            total, seen = total + loss.item() * len(rows), seen + len(rows)
            if rank == 0 and time.time() - last_print > 60:
                last_print, now = time.time(), time.time() - began
                left = args.minutes * 60 - now if args.minutes else now / max(progress_now(epoch, at, order, args), 1e-6) - now
                print(f"epoch {epoch + 1} {at}/{len(order)} loss {total / seen:.4f} lr {lr:.2e} {at / (last_print - epoch_start(began, spent)):.0f} img/s, {left / 60:.0f} min left", flush=True)
        if not done:
            epoch += 1
            done = bool(args.epochs) and epoch >= args.epochs
        if args.workers > 1:
            for name, b in [*net.named_buffers(), *ema.named_buffers()]:
                if b.dtype.is_floating_point:
                    dist.all_reduce(b)
                    b /= args.workers
        if rank == 0:
            now = time.time() - began
            save(state_file, {"shape": net.shape.to_json(), "net": net.state_dict(), "ema": ema.state_dict(), "opt": opt.state_dict(), "epoch": epoch, "step": step, "spent": now,
                              "spread": SPREAD, "args": {k: str(v) for k, v in vars(args).items()}})
            figures = validate(ema, args.arrays) if done or epoch % args.every == 0 else {}
            write_log(log_file, {"epoch": epoch, "step": step, "seconds": round(now, 1), "progress": round(part, 4), "lr": f"{lr:.3e}", "loss": round(total / max(seen, 1), 5),
                                 **{k: round(v, 4) for k, v in figures.items()}})
            print(f"epoch {epoch} {now / 60:.1f} min, {seen * args.workers / max(now - spent, 1):.0f} img/s, loss {total / max(seen, 1):.4f} " + ", ".join(f"{k} {v:.3f}" for k, v in figures.items()), flush=True)
        spent = time.time() - began
    if args.workers > 1:
        dist.barrier()
        dist.destroy_process_group()


def progress_now(epoch, at, order, args):
    """The part done of a schedule counted in epochs."""
    return (epoch + at / len(order)) / args.epochs


def epoch_start(began, spent):
    """When the epoch in progress began."""
    return began + spent


def write_log(path, row):
    """Adds a line to the log, rewriting the header where a column is new."""
    old = list(csv.DictReader(open(path, newline=""))) if path.exists() else []
    columns = list(dict.fromkeys([k for r in [*old, row] for k in r]))
    with open(str(path) + ".part", "w", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows([*old, row])
    os.replace(str(path) + ".part", path)


def main():
    """Reads the flags and starts the processes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("stage", choices=["face", "both"])
    parser.add_argument("arrays", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--start", type=pathlib.Path, help="state.pt of the face-only training (stage both)")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--epochs", type=int, default=0, help="length of the schedule in epochs")
    parser.add_argument("--minutes", type=float, default=0, help="length of the schedule in minutes, for a machine of unknown load (not reproducible to the bit)")
    parser.add_argument("--layers", type=int, nargs=4, default=[2, 1, 3, 1])
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--stem", type=int, default=32)
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--first-size", type=int, default=64, help="picture side in the first part of stage face")
    parser.add_argument("--first-part", type=float, default=0.5)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--lr", type=float, default=8e-4)
    parser.add_argument("--warm-up", type=int, default=300, help="steps")
    parser.add_argument("--weight-decay", type=float, default=0.05)
    parser.add_argument("--drop-path", type=float, default=0.05)
    parser.add_argument("--ema", type=float, default=0.998)
    parser.add_argument("--lds-power", type=float, default=0.25)
    parser.add_argument("--apparent", type=float, default=0.5, help="share of people's mean guess (fitted to real ages) in the target where it is known")
    parser.add_argument("--face-dropout", type=float, default=0.4, help="of those with a body")
    parser.add_argument("--body-dropout", type=float, default=0.2)
    parser.add_argument("--show-face", type=float, default=0.15, help="share of bodies whose face is not blacked out")
    parser.add_argument("--body-times", type=int, default=2, help="how often a row with a body comes in an epoch of stage both")
    parser.add_argument("--every", type=int, default=3, help="validate after so many epochs")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    if bool(args.epochs) == bool(args.minutes):
        parser.error("give one of --epochs and --minutes")
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / ".meet").unlink(missing_ok=True)
    if args.workers == 1:
        worker(0, args)
    else:
        mp.spawn(worker, (args,), args.workers)


if __name__ == "__main__":
    main()
