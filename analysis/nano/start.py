"""The first weights of the two-input network, taken from a trained face-only one.

The article copies the stem. Here the whole network is copied and the fusion begins as (almost) the identity on face tokens, because the fusion has no residual path: with
random weights, face values are an even mixture over the picture and minutes of training are lost before anything can be seen again. Three things make it so, all within the
published architecture:

* One channel of each stem's projection, `MARK`, is made a constant 1. Queries read it alone, keys read nothing, so attention at first follows the relative position tables
  only, and these fall off with the square of the distance: each token attends to its own place.
* Values are passed through unchanged, except that the mark is not worth passing.
* x = gelu(x) - gelu(-x), so an MLP of twice the width can be the identity. The layer norm in between takes one mean and one deviation per sample; its weights put back the
  usual ones of the face tokens.
"""
import torch

from augment import normalise
from model import Network, Shape

MARK, SHARPNESS = 0, 3.0


@torch.no_grad()
def both_from_face(path, drop_path, faces):
    """A two-input network that begins where the face-only one at `path` (a state.pt of train.py, its EMA) ended. `faces` are some normalised face pictures."""
    state = torch.load(path, weights_only=False)
    face_shape = Shape.from_json(state["shape"])
    shape = Shape(**{**face_shape.__dict__, "two_inputs": True})
    net = Network(shape, drop_path)
    ours = net.state_dict()
    for name, tensor in state["ema"].items():
        for old, new in (("patch_embed.conv.", ("conv1.", "conv2.")), ("patch_embed.proj.", ("proj1.", "proj2."))):
            if name.startswith(old):
                for n in new:
                    ours["patch_embed." + n + name[len(old) :]].copy_(tensor)
                break
        else:
            ours[name].copy_(tensor)
    net.load_state_dict(ours)
    fusion_as_identity(net, state["ema"])
    only = Network(face_shape)
    only.load_state_dict(state["ema"])
    match_scale(net.eval(), faces, only.eval().patch_embed(faces))
    return net.train()


def fusion_as_identity(net, face_state):
    """Sets the fusion as the module's text says. The mark's own channel is the one whose use by the first block is least."""
    patch, width = net.patch_embed, net.shape.width
    mark = least_used(face_state, width)
    for proj in (patch.proj1, patch.proj2):
        proj.weight[mark] = 0
        proj.bias[mark] = 1
    fusion = patch.map
    eye = torch.eye(width)
    eye[mark, mark] = 0
    for qkv in (fusion.qkv_f, fusion.qkv_p):
        w = qkv.weight.view(3, width, width)
        w[0].normal_(0, 0.02)
        w[0, :, mark] = 0
        w[0, MARK, :] = 0
        w[0, MARK, mark] = 1
        w[1].normal_(0, 0.02)
        w[1, :, mark] = 0
        w[2].copy_(eye)
    distance = torch.arange(2 * fusion.pos_embed.side - 1) - (fusion.pos_embed.side - 1)
    for table in (fusion.pos_embed.height_rel, fusion.pos_embed.width_rel):
        table.normal_(0, 0.02)
        table[:, MARK] = -SHARPNESS * distance.float() ** 2
    fusion.norm.weight.fill_(1)
    fusion.norm.bias.zero_()
    mlp = fusion.mlp
    first, second = torch.zeros(4 * width, 2 * width), torch.zeros(width, 4 * width)
    rows = torch.arange(2 * width)
    first[rows, rows] = 1
    first[2 * width + rows, rows] = -1
    # Face values come second (queries of the body, values of the face); body values are let in at a third.
    both = torch.cat([eye / 3, eye], 1)
    second[:, : 2 * width], second[:, 2 * width :] = both, -both
    mlp.fc1.weight.copy_((first + 0.01 * torch.randn_like(first))[:, :, None, None])
    mlp.fc2.weight.copy_((second + 0.01 * torch.randn_like(second))[:, :, None, None])
    mlp.fc1.bias.zero_()
    mlp.fc2.bias.zero_()


def least_used(face_state, width):
    """The channel of the face tokens that can best be spared: smallest spread through the projection, weighted by what the next layers read of it."""
    spread = face_state["patch_embed.proj.weight"].flatten(1).norm(dim=1)
    read = face_state["network.1.proj.weight"].flatten(2).norm(dim=(0, 2))
    return int((spread * read).argmin())


@torch.no_grad()
def match_scale(net, face, tokens):
    """Sets the fusion's norm so that, for these normalised face pictures without bodies, its output has the mean and deviation that the face-only `tokens` had.

    With an empty body the mean and deviation over both halves are those of one picture, so the correction is one scale and one offset per channel.
    """
    fusion, patch = net.patch_embed.map, net.patch_embed
    empty = torch.zeros(1, 3, face.shape[2], face.shape[3])
    body = patch.body_tokens(normalise(empty)).expand(len(face), -1, -1, -1)
    out = fusion(patch.face_tokens(face), body)
    scale = tokens.std((0, 1, 2)) / out.std((0, 1, 2)).clamp(min=1e-6)
    # The mark's channel carries nothing yet, so it has no scale to match.
    scale = torch.where(scale > 20 * scale.median(), scale.median(), scale)
    fusion.mlp.fc2.weight *= scale.view(-1, 1, 1, 1)
    fusion.mlp.fc2.bias.copy_(tokens.mean((0, 1, 2)) - out.mean((0, 1, 2)) * scale)
