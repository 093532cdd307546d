"""Does the order of clone() and detach() matter?"""

import torch

from bench import Subject, benchmark, identical, large, unchanged


def detach_clone(x):
    return x.detach().clone()


def clone_detach(x):
    return x.clone().detach()


@benchmark(
    variants={"detach_clone": detach_clone, "clone_detach": clone_detach},
    cpu={"side": [256, 2048]},
    cuda=[{"side": 256}, {"side": 8192}, large({"side": 16384})],  # the first: launch-bound on purpose
    bytes_needed=lambda call, side: 100 * 2 * side * side,
    phases=("forward",),
    claims=[
        unchanged("time", within="3%", note="K15"),
        unchanged("memory/peak", note="K15"),
        identical("output", note="K15"),
    ],
)
def clone_detach_order(call, side):
    """The same copy; clone first also makes a node of the autograd graph, which detach drops: under a microsecond."""
    x = torch.randn(side, side).requires_grad_()
    return Subject(call, x, bytes_moved=2 * x.nbytes)
