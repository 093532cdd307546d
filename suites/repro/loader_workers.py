"""Does a DataLoader give the same examples whatever the number of its workers?"""

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from bench import Subject, benchmark, identical

from ._recipe import same_seeds


class Numbers(Dataset):
    """Sixteen examples; ``noise``: where an augmentation draws from."""

    def __init__(self, noise):
        self.noise = noise

    def __len__(self):
        return 16

    def __getitem__(self, i):
        drawn = {"none": 0.0, "numpy": np.random.standard_normal(), "torch": float(torch.randn(()))}
        return float(i) + drawn[self.noise]


@benchmark(
    variants={"no_workers": 0, "one_worker": 1, "two_workers": 2},
    cpu={"noise": ["none", "numpy", "torch"]},
    phases=(),
    claims=[identical("output", note="R5")],
)
def loader_workers(workers, noise):
    """The order is drawn in the main process and stays; each worker draws its noise from a generator of its own."""
    context = "fork" if workers else None

    def read(_):
        same_seeds(0)
        loader = DataLoader(
            Numbers(noise), batch_size=4, shuffle=True, num_workers=workers, multiprocessing_context=context
        )
        return torch.cat(list(loader))

    return Subject(read, torch.empty(1))
