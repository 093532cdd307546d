"""Does a seed fix the order that randperm gives?"""

import torch

from bench import Subject, benchmark, identical

from ._recipe import earlier


@benchmark(
    variants={"fresh": 1, "after_others": 2},
    cpu={"n": [1000]},
    cuda={"n": [1000, 1000000]},
    phases=(),
    claims=[identical("output", note="R6")],
)
def shuffled_order(history, n):
    """One generator, one seed, one order; on a GPU the keys are drawn there and sorted."""

    def shuffle(like):
        earlier(history)
        torch.manual_seed(1)
        return torch.randperm(n, device=like.device)

    return Subject(shuffle, torch.empty(1))
