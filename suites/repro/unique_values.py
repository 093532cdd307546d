"""Does unique() give what sorting by hand gives, and in what time?"""

import torch

from bench import Subject, benchmark, identical


@benchmark(
    variants={"unique": torch.unique, "sorted": lambda x: torch.unique_consecutive(x.sort()[0])},
    cpu={"n": [10000], "values": [100, 5000]},
    cuda="it waits for the GPU, so it has no GPU time: whether the results agree there is asked in repro/unique_on_gpu",
    phases=("inference",),
    claims=[identical("output", note="R9")],
)
def unique_values(call, n, values):
    """Sorted and deduplicated either way."""
    return Subject(call, torch.randint(values, (n,)))
