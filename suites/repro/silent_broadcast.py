"""Does (2, 3, 1, 1) - (2, 3) silently become (2, 3, 2, 3)?"""

import torch

from bench import Subject, benchmark, identical


def note(a, b):
    """The shape that the note gives, and the bytes that come with it."""
    return torch.tensor([2, 3, 2, 3, a.shape[0] * a.shape[1] * b.nbytes])


def seen(a, b):
    """What comes out."""
    out = a - b
    return torch.tensor([*out.shape, out.nbytes])


@benchmark(
    variants={"note": note, "torch": seen},
    cpu={},
    phases=(),
    claims=[identical("output", note="R11")],
)
def silent_broadcast(call):
    """The loss of two tensors that were meant to be of one shape averages over all pairs, and nothing is said."""
    return Subject(call, torch.randn(2, 3, 1, 1), torch.randn(2, 3))
