"""When do two calls of a model with dropout give the same result?"""

import torch
from torch import nn

from bench import Subject, benchmark, identical

NOTED = {"eval": 1.0, "train": 2.0, "train_restored": 1.0}


def note(model, x, mode):
    """How many different results the note expects of two calls."""
    return torch.tensor(NOTED[mode])


def seen(model, x, mode):
    """How many there are."""
    model.train(mode != "eval")
    state = torch.cuda.get_rng_state(x.device) if x.is_cuda else torch.get_rng_state()
    first = model(x)
    if mode == "train_restored":
        (torch.cuda.set_rng_state if x.is_cuda else torch.set_rng_state)(state)
    return torch.tensor(1.0 if torch.equal(first, model(x)) else 2.0)


@benchmark(
    variants={"note": note, "torch": seen},
    cpu={"mode": list(NOTED)},
    phases=(),
    claims=[identical("output", note="A9")],
)
def dropout_modes(call, mode):
    """In eval mode, or from the same state of the generator."""
    model = nn.Sequential(nn.Linear(32, 64), nn.Dropout(0.5))
    return Subject(call, model, torch.randn(8, 32), mode)
