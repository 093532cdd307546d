"""Does max(x, 1)[1] point where argmax points, with ties and NaN too?"""

import torch

from bench import Subject, benchmark, identical

CONTENTS = {
    "distinct": torch.arange(1024.0).reshape(8, 128).sin,
    "ties": torch.ones(8, 128).clone,
    "nan": lambda: torch.ones(8, 128).index_fill(1, torch.tensor([5, 70]), float("nan")),
}


@benchmark(
    variants={"max": lambda x: torch.max(x, 1)[1], "argmax": lambda x: torch.argmax(x, 1)},
    cpu={"content": list(CONTENTS)},
    phases=(),
    claims=[identical("output", note="R8")],
)
def argmax_ties(call, content):
    """Which of several equal maxima is meant is not documented; NaN counts as the largest."""
    return Subject(call, torch.empty(8, 128).copy_(CONTENTS[content]()))
