"""Does unique() give on a GPU what sorting by hand gives?"""

import torch

from bench import Subject, benchmark, identical


@benchmark(
    variants={"unique": torch.unique, "sorted": lambda x: torch.unique_consecutive(x.sort()[0])},
    cpu="asked with its time in repro/unique_values",
    cuda={"n": [10000000], "values": [100, 5000000]},
    phases=(),
    claims=[identical("output", note="R9")],
)
def unique_on_gpu(call, n, values):
    """Both wait for the GPU, because the shape depends on the data: that leaves no GPU time to compare."""
    return Subject(call, torch.randint(values, (n,)))
