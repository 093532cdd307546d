"""Does the notes' same_seeds() make a training repeat its weights, whatever ran before?"""

import torch

from bench import Subject, benchmark, identical

from ._recipe import earlier, same_seeds
from ._trainings import WORKLOADS, trained


@benchmark(
    variants={"fresh": 1, "after_others": 2},
    cpu={"workload": list(WORKLOADS)},
    phases=(),
    claims=[identical("output", note="R1")],
)
def same_seeds_recipe(history, workload):
    """Eight steps of a small training after ``same_seeds(0)``, with every generator in another state before.

    The recipe knows nothing of use_deterministic_algorithms, of cuBLAS's workspace or of a DataLoader's workers.
    """

    def run(like):
        earlier(history)
        same_seeds(0)
        return trained(workload, like)

    return Subject(run, torch.empty(1))
