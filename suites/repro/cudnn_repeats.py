"""Does a convolution repeat with cudnn.benchmark, and with cudnn.deterministic?"""

import torch
import torch.nn.functional as F

from bench import Subject, benchmark, identical

from ._repeats import distinct, with_gradients

MODES = {"benchmark": (True, False), "benchmark_deterministic": (True, True), "deterministic": (False, True)}


def same_size(x, weight):
    return F.conv2d(x, weight, padding=weight.shape[-1] // 2)


def note(x, weight, mode):
    """What the note says: with benchmark every call differs a little, with deterministic none does."""
    return torch.tensor(0.0 if mode == "benchmark" else 1.0)


def seen(x, weight, mode):
    """Whether twenty calls give one output and one gradient."""
    searching, deterministic = MODES[mode]
    tf32 = torch.backends.cudnn.allow_tf32
    with torch.backends.cudnn.flags(enabled=True, benchmark=searching, deterministic=deterministic, allow_tf32=tf32):
        results = distinct(lambda: with_gradients(same_size, x, weight))
    return torch.tensor(float(results == 1))


@benchmark(
    variants={"note": note, "torch": seen},
    cpu="cuDNN computes on GPUs; how oneDNN and threads behave is in the knob matrix of --determinism full",
    cuda={"mode": list(MODES), "c": [64, 512], "hw": [56], "k": [1, 3]},
    phases=(),
    claims=[
        identical("output", at={"mode": "benchmark"}, note="B5"),
        identical("output", at={"mode": "benchmark_deterministic"}, note="B6"),
        identical("output", at={"mode": "deterministic"}, note="B6"),
    ],
)
def cudnn_repeats(call, mode, c, hw, k):
    """The search runs once per process and shape: it may choose otherwise in the next process, not in the next call."""
    return Subject(call, torch.randn(8, c, hw, hw), torch.randn(c, c, k, k), mode)
