"""Which tensors see a NumPy array change after they were made of it?"""

import numpy
import torch

from bench import Subject, benchmark, identical

MAKERS = (torch.tensor, torch.as_tensor, torch.from_numpy)


def said(dtype):
    """What the note says: tensor() copies, as_tensor() tries not to, from_numpy() shares."""
    return torch.tensor([False, True, True])


def seen(dtype):
    """Whether a write to the array shows in the tensor."""
    arrays = [numpy.zeros(3, dtype=dtype) for _ in MAKERS]
    tensors = [make(array) for make, array in zip(MAKERS, arrays, strict=True)]
    for array in arrays:
        array[0] = 1
    return torch.tensor([bool(tensor[0] == 1) for tensor in tensors])


@benchmark(
    variants={"note": said, "torch": seen},
    cpu={"dtype": ["float32", "float64", "int64"]},
    cuda="the array lies in host memory: measured with --device cpu",
    phases=(),
    claims=[identical("output", note="K9")],
)
def from_numpy_shares(call, dtype):
    """A tensor on the CPU can stand on an array's memory; its dtype is the array's, so nothing has to be converted."""
    return Subject(call, dtype)
