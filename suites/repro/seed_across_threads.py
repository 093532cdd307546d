"""Does the same seed give the same bits with another number of threads?"""

import contextlib

import torch
import torch.nn.functional as F

from bench import Subject, benchmark, identical

from ._trainings import trained


@contextlib.contextmanager
def threads(count):
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def total(x):
    return x.sum()


def product(x):
    return x[:512, :512] @ x[512:, :512]


def weight_gradient(x):
    with torch.enable_grad():
        weight = x[:16, : 16 * 9].reshape(16, 16, 3, 3).clone().requires_grad_()
        image = x[: 4 * 16, :1024].reshape(4, 16, 32, 32)
        return torch.autograd.grad(F.conv2d(image, weight, padding=1), weight, image)[0]


def training(x):
    torch.manual_seed(1)
    return trained("conv_bn", x)


CALLS = {"sum": total, "matmul": product, "weight_gradient": weight_gradient, "training": training}


@benchmark(
    variants={"one": 1, "two": 2, "four": 4},
    cpu={"of": list(CALLS)},
    cuda="the threads of the CPU decide nothing that a GPU computes",
    phases=(),
    claims=[identical("output", note="R3")],
)
def seed_across_threads(count, of):
    """A reduction that is cut into as many parts as there are threads adds them up in another order."""

    def run(x):
        with threads(count):
            return CALLS[of](x)

    return Subject(run, torch.randn(1024, 1024))
