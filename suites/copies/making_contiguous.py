"""What does making a tensor contiguous cost, beside copying one that is?"""

import torch

from bench import Subject, benchmark, higher, large, unchanged


def dense(randn, side):
    return randn(side, side)


def transposed(randn, side):
    """A matrix, as in ``weight.t()``."""
    return randn(side, side).t()


def channels_last(randn, side):
    """64 channels become the last dimension."""
    return randn(side // 64, 64, side).transpose(1, 2)


def heads(randn, side):
    """Attention: tokens x heads x 64 become heads x tokens x 64."""
    return randn(side, side // 64, 64).transpose(0, 1)


def every_second(randn, side):
    """Every second column: half of each cache line is read for nothing."""
    return randn(side, 2 * side)[:, ::2]


def expanded(randn, side):
    """One row, seen many times: next to nothing is read."""
    return randn(1, side).expand(side, side)


LAYOUTS = (dense, transposed, channels_last, heads, every_second, expanded)


@benchmark(
    variants={layout.__name__: layout for layout in LAYOUTS},
    cpu={"side": [1024, 2048], "dtype": ["float32"]},
    cuda=[
        {"side": 256, "dtype": "float32"},  # launch-bound on purpose
        {"side": 8192, "dtype": "float32"},
        large({"side": 8192, "dtype": "bfloat16"}),
        *(large({"side": 16384, "dtype": dtype}) for dtype in ("float32", "bfloat16")),
    ],
    bytes_needed=lambda layout, side, dtype: 100 * 2 * side * side,
    phases=("inference",),
    claims=[higher("time", note="K7"), unchanged("memory/peak", note="K2")],
)
def making_contiguous(layout, side, dtype):
    """All write the same number of bytes, in order; they differ in how they find what to read.

    The baseline is a plain copy of a contiguous tensor.  A transpose reads one element of each cache line at a time.
    """

    def randn(*shape):
        return torch.randn(*shape, dtype=getattr(torch, dtype))

    x = layout(randn, side)
    copy = torch.clone if layout is dense else torch.Tensor.contiguous
    read = min(x.nbytes, x.untyped_storage().nbytes())
    return Subject(copy, x, bytes_moved=read + x.nbytes)
