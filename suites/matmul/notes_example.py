"""Does the example (1000, 500, 99, 11) @ (500, 11, 99) work?"""

import torch

from bench import Subject, benchmark, identical, large


def said(x, y):
    """The shape that the note gives."""
    return torch.tensor([*x.shape[:2], x.shape[2], y.shape[2]])


def seen(x, y):
    """The shape that comes out."""
    return torch.tensor(torch.matmul(x, y).shape)


def bytes_needed(call, batch, shared):
    """The result (19.6 GB for the example as it stands), both operands, and the second one expanded by matmul."""
    return 4 * batch * shared * (99 * 99 + 99 * 11 + 11 * 99) + 4 * shared * 11 * 99


@benchmark(
    variants={"note": said, "torch": seen},
    cpu=[{"batch": 10, "shared": 5}, large({"batch": 1000, "shared": 500})],
    cuda=[{"batch": 100, "shared": 50}, large({"batch": 1000, "shared": 500})],
    phases=(),
    bytes_needed=bytes_needed,
    claims=[identical("output", note="X5")],
)
def notes_example(call, batch, shared):
    """The batches broadcast, so it works wherever 24 GB are free: the standard point is a scaled copy."""
    return Subject(call, torch.randn(batch, shared, 99, 11), torch.randn(shared, 11, 99))
