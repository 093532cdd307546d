"""Does normal_() draw the same numbers on the CPU and on the GPU from one seed?"""

import torch

from bench import Subject, benchmark, identical


def on_cpu(like):
    torch.manual_seed(1)
    return torch.empty(1000).normal_()


def on_gpu(like):
    torch.manual_seed(1)
    return torch.empty(1000, device=like.device).normal_().cpu()


@benchmark(
    variants={"cpu": on_cpu, "gpu": on_gpu},
    cpu="there is no GPU in it: the question compares the generators of two devices",
    cuda={},
    phases=(),
    claims=[identical("output", note="R4")],
)
def randn_devices(call):
    """The CPU has a Mersenne Twister, the GPU a Philox generator; documented as different."""
    return Subject(call, torch.empty(1))
