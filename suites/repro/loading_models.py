"""What can be loaded again: a saved state_dict, or a saved model?"""

import io

import torch
from torch import nn

from bench import Subject, benchmark, identical

TROUBLES = ("none", "untrusted", "renamed_class")


def loads(saved, trouble):
    """Whether a file that holds this can be loaded, safely or after its class got another name."""
    file = io.BytesIO()
    torch.save(saved, file)
    content = file.getvalue()
    if trouble == "renamed_class":
        content = content.replace(b"torch.nn.modules.linear", b"torch.nn.modules.lineal")
    try:
        torch.load(io.BytesIO(content), weights_only=trouble == "untrusted")
    except Exception:
        return torch.tensor(0.0)
    return torch.tensor(1.0)


@benchmark(
    variants={"state_dict": lambda model, trouble: loads(model.state_dict(), trouble), "model": loads},
    cpu={"trouble": list(TROUBLES)},
    phases=(),
    claims=[identical("output", note="T3")],
)
def loading_models(call, trouble):
    """A model is a pickle of its classes: it loads only where these stand where they stood, and runs what it holds."""
    return Subject(call, nn.Linear(4, 4), trouble)
