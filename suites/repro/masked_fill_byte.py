"""Does masked_fill_ take a mask of another type than bool?"""

import torch

from bench import Subject, benchmark, identical

TYPES = {"bool": torch.bool, "byte": torch.uint8, "float": torch.float32}


def note(x, mask):
    """What the note does."""
    return x.masked_fill(mask.bool(), 7.0)


def seen(x, mask):
    """What PyTorch does: NaN where it refuses."""
    try:
        return x.clone().masked_fill_(mask, 7.0)
    except RuntimeError:
        return torch.full_like(x, float("nan"))


@benchmark(
    variants={"note": note, "torch": seen},
    cpu={"mask": list(TYPES)},
    phases=(),
    claims=[identical("output", note="R10")],
)
def masked_fill_byte(call, mask):
    """Bool only: masks of bytes were deprecated in 1.2, and are refused today."""
    return Subject(call, torch.randn(5, 6), (torch.arange(30).reshape(5, 6) % 3 == 0).to(TYPES[mask]))
