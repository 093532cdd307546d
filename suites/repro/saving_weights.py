"""Is save(model.state_dict()) faster than save(model), or the other way round?"""

import io

import torch
from torch import nn

from bench import Subject, benchmark, higher, large, lower


def save(what):
    """The bytes that a file would take."""
    file = io.BytesIO()
    torch.save(what, file)
    return torch.tensor(float(file.tell()))


@benchmark(
    variants={"state_dict": lambda model: save(model.state_dict()), "model": save},
    cpu={"width": [64, 512, large(2048)], "depth": [8]},
    cuda="saving waits for the GPU and copies to the host, so it has no GPU time: measured with --device cpu",
    phases=("inference",),
    claims=[
        higher("time", of="model", note="T2"),
        lower("time", of="model", note="T3"),
    ],
)
def saving_weights(call, width, depth):
    """Two notes contradict each other.  The weights are the same bytes; a model adds the pickle of its classes."""
    return Subject(call, nn.Sequential(*(nn.Linear(width, width) for _ in range(depth))))
