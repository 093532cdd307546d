"""Do as_tensor and from_numpy save the copy that tensor() makes of a NumPy array?"""

import numpy
import torch

from bench import Subject, benchmark, identical, lower


@benchmark(
    variants={"tensor": torch.tensor, "as_tensor": torch.as_tensor, "from_numpy": torch.from_numpy},
    cpu={"kib": [1, 16, 256]},
    cuda="the array lies in host memory: measured with --device cpu",
    phases=("inference",),
    claims=[
        lower("time", note="K9"),
        lower("memory/peak", within="99%", note="K9"),
        identical("output", note="K9"),
    ],
)
def from_numpy(call, kib):
    """Sharing memory takes a microsecond at any size; copying grows with the size."""
    array = numpy.random.default_rng(0).standard_normal(kib * 256, dtype=numpy.float32)
    return Subject(call, array, bytes_moved=2 * array.nbytes if call is torch.tensor else None)
