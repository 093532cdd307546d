"""Does the gradient of interpolate repeat?"""

import torch
import torch.nn.functional as F

from bench import Subject, benchmark, identical

from ._repeats import distinct, one, with_gradients


def seen(x, mode):
    """How many different results twenty calls give."""
    return distinct(lambda: with_gradients(lambda image: F.interpolate(image, size=(50, 50), mode=mode), x))


@benchmark(
    variants={"repeats": one, "torch": seen},
    cpu={"mode": ["nearest", "bilinear", "bicubic"]},
    phases=(),
    claims=[identical("output", note="U2")],
)
def upsampling_backward(call, mode):
    """Several pixels of the large image fall on one of the small: on a GPU they are added with atomics."""
    return Subject(call, torch.randn(4, 8, 32, 32), mode)
