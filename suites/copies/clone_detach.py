"""Does clone() own its memory and detach() share it?"""

import torch

from bench import Subject, benchmark, identical


def said(x):
    """What the note says: clone copies and stays in the graph, detach shares and leaves it."""
    return torch.tensor([[False, True], [True, False]])


def seen(x):
    """Of clone and of detach: whether it shares memory, and whether gradients flow through it."""
    x = x.detach().requires_grad_()
    with torch.enable_grad():
        made = (x.clone(), x.detach())
    return torch.tensor([[y.data_ptr() == x.data_ptr(), y.requires_grad] for y in made])


@benchmark(
    variants={"note": said, "torch": seen},
    cpu={"n": [8]},
    phases=(),
    claims=[identical("output", note="K15")],
)
def clone_detach(call, n):
    """clone is an operation like any other, with a gradient; detach is a view that autograd does not follow."""
    return Subject(call, torch.randn(n))
