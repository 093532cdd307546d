"""Can a checkpoint from a GPU that is not here be loaded?"""

import io
from unittest import mock

import torch
from torch import nn

from bench import Subject, benchmark, identical

ELSEWHERE = "cuda:77"


def note(model, location):
    """What the note says: not without map_location."""
    return torch.tensor(0.0 if location == "as_saved" else 1.0)


def seen(model, location):
    """Whether it loads."""
    file = io.BytesIO()
    with mock.patch("torch.serialization.location_tag", return_value=ELSEWHERE):
        torch.save(model.state_dict(), file)
    file.seek(0)
    try:
        torch.load(file, weights_only=True, map_location=None if location == "as_saved" else location)
    except RuntimeError:
        return torch.tensor(0.0)
    return torch.tensor(1.0)


@benchmark(
    variants={"note": note, "torch": seen},
    cpu={"location": ["as_saved", "cpu"]},
    phases=(),
    claims=[identical("output", note="T8")],
)
def map_location(call, location):
    """A checkpoint remembers the device of every tensor, by its number."""
    return Subject(call, nn.Linear(4, 4), location)
