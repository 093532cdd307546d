"""Is a float32 matrix product faster in TF32, which PyTorch has to be asked for, and as exact?"""

import torch

from bench import Settings, Subject, benchmark, close, lower


@benchmark(
    variants={"ieee": Settings(matmul_precision="highest"), "tf32": Settings(matmul_precision="high")},
    cpu="TF32 is a format of NVIDIA's Tensor Cores",
    cuda={"side": [4096]},
    phases=("inference",),
    claims=[lower("time", of="tf32"), close("output")],
)
def matmul_tf32(_, side):
    """No note speaks of it: TF32 multiplies 10 bits of the mantissa on Tensor Cores, IEEE float32 all 23 without them.

    PyTorch's documentation: on an A100 seven times as fast, with some fifty times the error.
    """
    return Subject(torch.mm, torch.randn(side, side), torch.randn(side, side), flops=2 * side**3)
