"""Is every line of same_seeds() needed?"""

import torch

from bench import Subject, benchmark, identical

from ._recipe import LINES, earlier, same_seeds
from ._trainings import trained


def note(like, line):
    """What the recipe implies: without the line, results depend on what ran before."""
    return torch.ones(())


def seen(like, line):
    """Whether two pasts lead to different weights when the line is missing."""
    ends = []
    for history in (1, 2):
        earlier(history)
        same_seeds(0, without=line)
        ends.append(trained("conv_bn", like))
    return torch.tensor(float(not torch.equal(*ends)))


@benchmark(
    variants={"note": note, "torch": seen},
    cpu={"line": list(LINES)},
    phases=(),
    claims=[identical("output", note="R2")],
)
def recipe_lines(call, line):
    """The data are drawn from Python's, NumPy's and torch's generators; torch.manual_seed seeds every GPU as well."""
    return Subject(call, torch.empty(1), line)
