"""Does the cross entropy of an image, one class per pixel, repeat its loss and gradient?"""

import torch
import torch.nn.functional as F

from bench import Subject, benchmark, identical

from ._repeats import distinct, one, with_gradients


def seen(scores, classes, reduction):
    """How many different results twenty calls give."""
    return distinct(lambda: with_gradients(lambda x: F.cross_entropy(x, classes, reduction=reduction), scores))


@benchmark(
    variants={"repeats": one, "torch": seen},
    cpu={"reduction": ["none", "sum", "mean"]},
    phases=(),
    claims=[identical("output", note="L4")],
)
def spatial_cross_entropy(call, reduction):
    """On a GPU sum and mean add up with atomics, in whatever order the blocks arrive (pytorch#17350)."""
    scores = torch.randn(4, 2, 64, 64, dtype=torch.float64) * torch.logspace(-3, 3, 64, dtype=torch.float64)
    return Subject(call, scores, torch.randint(2, (4, 64, 64)), reduction)
