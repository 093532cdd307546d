"""Which matrix products broadcast?"""

import torch

from bench import Subject, benchmark, identical

RAISES = (-1,)
SHAPES = {
    "mm": [((2, 3, 4), (4, 5)), ((3, 4), (2, 4, 5)), ((3, 4), (4,))],
    "bmm": [((2, 3, 4), (4, 5)), ((2, 3, 4), (1, 4, 5)), ((1, 3, 4), (2, 4, 5))],
    "matmul": [((2, 3, 4), (4, 5)), ((2, 3, 4), (1, 4, 5)), ((7, 2, 3, 4), (2, 4, 5)), ((7, 1, 3, 4), (2, 4, 5))],
}


def said(op, *operands):
    """What the note says: mm and bmm do not broadcast, matmul does, over all dimensions but the last two."""
    if op != "matmul":
        return [torch.tensor(RAISES) for _ in operands]
    shapes = ((*torch.broadcast_shapes(a.shape[:-2], b.shape[:-2]), a.shape[-2], b.shape[-1]) for a, b in operands)
    return [torch.tensor(shape) for shape in shapes]


def seen(op, *operands):
    """The shape of each product, or that it raises."""
    return [torch.tensor(_shape(getattr(torch, op), a, b)) for a, b in operands]


def _shape(op, a, b):
    try:
        return tuple(op(a, b).shape)
    except RuntimeError:
        return RAISES


@benchmark(
    variants={"note": said, "torch": seen},
    cpu={"op": list(SHAPES)},
    phases=(),
    claims=[
        identical("output", at={"op": "mm"}, note="X1"),
        identical("output", at={"op": "bmm"}, note="X2"),
        identical("output", at={"op": "matmul"}, note="X3"),
    ],
)
def which_broadcast(call, op):
    """mm takes two matrices, bmm two batches of equal size (1 does not count as equal), matmul anything."""
    return Subject(call, op, *((torch.randn(a), torch.randn(b)) for a, b in SHAPES[op]))
