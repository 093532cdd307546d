"""Is broadcasting in matmul free?"""

from functools import partial
from math import prod

import torch

from bench import Subject, benchmark, close, large, unchanged


def shared_rhs(x, y):
    """Rows that meet the same matrix are stacked: one product for each matrix of ``y``."""
    a, b, m, k = x.shape
    stacked = torch.bmm(x.transpose(0, 1).reshape(b, a * m, k), y)
    return stacked.view(b, a, m, -1).transpose(0, 1)


def shared_lhs(x, y):
    """The matrices of ``y`` side by side: one product in all."""
    b, k, n = y.shape
    side_by_side = torch.mm(x, y.transpose(0, 1).reshape(k, b * n))
    return side_by_side.view(-1, b, n).transpose(0, 1)


def weight(x, y):
    """All rows stacked: one product in all."""
    a, m, k = x.shape
    return torch.mm(x.view(a * m, k), y).view(a, m, -1)


BY_HAND = {shared_rhs: "abmk,bkn->abmn", shared_lhs: "mk,bkn->bmn", weight: "amk,kn->amn"}
PATTERNS = {by_hand.__name__: (by_hand, equation) for by_hand, equation in BY_HAND.items()}

SMALL = {"pattern": "shared_rhs", "a": 64, "b": 16, "m": 1, "k": 32, "n": 32}
PYTORCH_154128 = {"pattern": "shared_rhs", "b": 256, "m": 1, "k": 100, "n": 100}
# The report's matrix has a side of 4096 and just more bytes than a GPU caches; expanded 48 times, this one is as large.
PYTORCH_18862 = {"pattern": "shared_lhs", "a": 1, "m": 8192, "k": 8192, "n": 1}
LLAMA = {"pattern": "weight", "a": 8, "b": 1, "m": 1024, "k": 4096, "n": 4096}  # a projection of the 7B model


def bytes_needed(variant, pattern, a, b, m, k, n, dtype="float32"):
    """Both operands expanded to the batch of the result; beside them what every variant and check holds."""
    size = {"a": a, "b": b, "m": m, "k": k, "n": n}
    equation = PATTERNS[pattern][1].replace("->", ",")
    held = sum(prod(size[axis] for axis in axes) for axes in equation.split(","))
    return 4 * a * b * (m * k + k * n + m * n) + 100 * held


@benchmark(
    variants={name: name for name in ("by_hand", "matmul", "einsum")},
    cpu=[
        SMALL,
        {"pattern": "shared_rhs", "a": 64, "b": 16, "m": 16, "k": 32, "n": 32},
        {"pattern": "shared_lhs", "a": 1, "b": 48, "m": 256, "k": 256, "n": 1},
        {"pattern": "weight", "a": 2, "b": 1, "m": 128, "k": 512, "n": 512},
    ],
    cuda=[
        {**SMALL, "dtype": "float32"},  # launch-bound on purpose
        {**PYTORCH_154128, "a": 512, "dtype": "float32"},  # an eighth of it
        {**PYTORCH_18862, "b": 16, "dtype": "float32"},  # a third of its bytes
        {**LLAMA, "dtype": "bfloat16"},
        large({**LLAMA, "dtype": "float32"}),
        large({**PYTORCH_154128, "a": 4096, "dtype": "float32"}),
        large({**PYTORCH_18862, "b": 48, "dtype": "float32"}),  # all its bytes
    ],
    phases=("inference",),
    bytes_needed=bytes_needed,
    claims=[
        unchanged("time", of="matmul", within="3%", note="X4"),
        unchanged("memory/peak", of="matmul", note="X4"),
        close("output", note="X4"),
    ],
)
def broadcasting(variant, pattern, a, b, m, k, n, dtype="float32"):
    """matmul expands both operands to the batch of the result and calls bmm: where strides cannot say that, it copies.

    By hand, and by einsum, the operand that is shared is never copied; what comes out is a transposed view.  A single
    matrix on the right is folded by matmul itself.
    """
    by_hand, equation = PATTERNS[pattern]
    size = {"a": a, "b": b, "m": m, "k": k, "n": n}
    shapes = [[size[axis] for axis in axes] for axes in equation.split("->")[0].split(",")]
    x, y = (torch.randn(shape, dtype=getattr(torch, dtype)) for shape in shapes)
    calls = {"by_hand": by_hand, "matmul": torch.matmul, "einsum": partial(torch.einsum, equation)}
    return Subject(calls[variant], x, y, flops=2 * a * b * m * k * n)
