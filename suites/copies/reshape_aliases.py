"""Is reshape() the same as contiguous().view()?"""

import torch

from bench import Subject, benchmark, identical

# name -> a tensor and the shape it is given
RESHAPED = {
    "dense_flattened": lambda: (torch.randn(4, 6), (24,)),
    "transposed_flattened": lambda: (torch.randn(6, 4).t(), (24,)),
    "columns_split": lambda: (torch.randn(4, 8)[:, :6], (4, 3, 2)),
    "transposed_split": lambda: (torch.randn(6, 4).t(), (4, 3, 2)),
}


def contiguous_view(x, shape):
    """What the note says: the memory is shared if ``contiguous().view()`` shares it."""
    return torch.tensor(x.contiguous().view(shape).data_ptr() == x.data_ptr())


def reshape(x, shape):
    """Whether reshape shares the memory."""
    return torch.tensor(x.reshape(shape).data_ptr() == x.data_ptr())


@benchmark(
    variants={"note": contiguous_view, "torch": reshape},
    cpu={"case": list(RESHAPED)},
    phases=(),
    claims=[identical("output", note="K4")],
)
def reshape_aliases(call, case):
    """Equal values, but reshape copies only where no strides describe the new shape: splitting never copies."""
    return Subject(call, *RESHAPED[case]())
