"""Does the state_dict of a DataParallel model load into the plain model?"""

import torch
from torch import nn

from bench import Subject, benchmark, identical


def note(model, prefix):
    """What the note says: not before ``module.`` is cut off."""
    return torch.tensor(0.0 if prefix == "kept" else 1.0)


def seen(model, prefix):
    """Whether it loads."""
    saved = {f"module.{name}": tensor for name, tensor in model.state_dict().items()}
    if prefix == "cut_off":
        saved = {name[len("module.") :]: tensor for name, tensor in saved.items()}
    try:
        model.load_state_dict(saved)
    except RuntimeError:
        return torch.tensor(0.0)
    return torch.tensor(1.0)


@benchmark(
    variants={"note": note, "torch": seen},
    cpu={"prefix": ["kept", "cut_off"]},
    phases=(),
    claims=[identical("output", note="S0:8")],
)
def module_prefix(call, prefix):
    """DataParallel saves its only child under the name ``module``; with strict=False nothing would be loaded at all."""
    return Subject(call, nn.Linear(4, 4), prefix)
