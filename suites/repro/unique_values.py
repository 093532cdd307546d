"""Does unique() give what sorting by hand gives, and in what time?"""

import torch

from bench import Subject, benchmark, identical


@benchmark(
    variants={"unique": torch.unique, "sorted": lambda x: torch.unique_consecutive(x.sort()[0])},
    cpu={"n": [10000], "values": [100, 5000]},
    cuda={"n": [10000000], "values": [100, 5000000]},
    phases=("inference",),
    claims=[identical("output", note="R9")],
)
def unique_values(call, n, values):
    """Sorted and deduplicated either way; on a GPU both wait for the device, because the shape depends on the data."""
    return Subject(call, torch.randint(values, (n,)))
