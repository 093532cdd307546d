"""Do the operators that PyTorch documents as nondeterministic repeat their bits here?"""

import numpy
import torch
import torch.nn.functional as F

from bench import Subject, benchmark, identical

from ._repeats import with_gradients


def ramp(*shape):
    """Values of both signs and of widely different size, so that the order of a sum shows in its last bits."""
    # By NumPy: the first parallel sine of a process may have other bits (docs/determinism.md).
    count = torch.Size(shape).numel()
    values = numpy.sin(0.7 * numpy.arange(count)) * numpy.logspace(-3, 3, count)
    return torch.as_tensor(values.astype(numpy.float32)).reshape(shape)  # from_numpy would leave them on the CPU


def colliding(n, of):
    """Indices that meet each other: the case that the documentation is about."""
    return torch.arange(n) * 7 % of


def unpool(x):
    return F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2)


def ctc(x):
    targets = colliding(24, 4).reshape(4, 6).to(x.device) + 1
    return F.ctc_loss(x.log_softmax(2), targets, torch.full((4,), 30), torch.full((4,), 6), reduction="none")


# name -> what is called, and with which inputs
OPERATORS = {
    "conv2d": (lambda x, w: F.conv2d(x, w, padding=1), lambda: (ramp(4, 8, 16, 16), ramp(8, 8, 3, 3))),
    "conv_transpose2d": (F.conv_transpose2d, lambda: (ramp(4, 8, 16, 16), ramp(8, 8, 3, 3))),
    "replication_pad2d": (lambda x: F.pad(x, (2, 2, 2, 2), mode="replicate"), lambda: (ramp(4, 8, 16, 16),)),
    "reflection_pad2d": (lambda x: F.pad(x, (2, 2, 2, 2), mode="reflect"), lambda: (ramp(4, 8, 16, 16),)),
    "sparse_bmm": (
        lambda x: torch.bmm(torch.eye(32, device=x.device)[None].to_sparse(), x.detach()),
        lambda: (ramp(1, 32, 16),),
    ),
    "getitem": (lambda x, i: x[i, i], lambda: (ramp(64, 64), colliding(512, 64))),
    "index_put": (lambda x, v, i: x.index_put((i,), v), lambda: (ramp(64), ramp(16), torch.arange(16))),
    "index_put_accumulate": (
        lambda x, v, i: x.index_put((i,), v, accumulate=True),
        lambda: (ramp(16), ramp(4096), colliding(4096, 16)),
    ),
    "put": (lambda x, v, i: x.put(i, v), lambda: (ramp(64), ramp(16), torch.arange(16))),
    "put_accumulate": (
        lambda x, v, i: x.put(i, v, accumulate=True),
        lambda: (ramp(16), ramp(4096), colliding(4096, 16)),
    ),
    "scatter": (lambda x, v, i: x.scatter(0, i, v), lambda: (ramp(64), ramp(16), torch.arange(16))),
    "scatter_add": (lambda x, v, i: x.scatter_add(0, i, v), lambda: (ramp(16), ramp(4096), colliding(4096, 16))),
    "scatter_reduce_sum": (
        lambda x, v, i: x.scatter_reduce(0, i, v, reduce="sum"),
        lambda: (ramp(16), ramp(4096), colliding(4096, 16)),
    ),
    "scatter_reduce_prod": (
        lambda x, v, i: x.scatter_reduce(0, i, v, reduce="prod"),
        lambda: (ramp(16), ramp(256), colliding(256, 16)),
    ),
    "gather": (lambda x, i: x.gather(0, i), lambda: (ramp(16), colliding(4096, 16))),
    "index_add": (lambda x, v, i: x.index_add(0, i, v), lambda: (ramp(16, 8), ramp(4096, 8), colliding(4096, 16))),
    "index_select": (lambda x, i: x.index_select(0, i), lambda: (ramp(16, 8), colliding(4096, 16))),
    "index_copy": (lambda x, v, i: x.index_copy(0, i, v), lambda: (ramp(64), ramp(16), torch.arange(16))),
    "max_pool3d": (lambda x: F.max_pool3d(x, 3, stride=1), lambda: (ramp(2, 4, 8, 8, 8),)),
    "avg_pool3d": (lambda x: F.avg_pool3d(x, 3, stride=1), lambda: (ramp(2, 4, 8, 8, 8),)),
    "adaptive_avg_pool2d": (lambda x: F.adaptive_avg_pool2d(x, 5), lambda: (ramp(4, 8, 16, 16),)),
    "adaptive_avg_pool3d": (lambda x: F.adaptive_avg_pool3d(x, 3), lambda: (ramp(2, 4, 8, 8, 8),)),
    "adaptive_max_pool2d": (lambda x: F.adaptive_max_pool2d(x, 5), lambda: (ramp(4, 8, 16, 16),)),
    "fractional_max_pool2d": (lambda x: F.fractional_max_pool2d(x, 2, output_size=7), lambda: (ramp(4, 8, 16, 16),)),
    "fractional_max_pool3d": (lambda x: F.fractional_max_pool3d(x, 2, output_size=3), lambda: (ramp(2, 4, 8, 8, 8),)),
    "max_unpool2d": (unpool, lambda: (ramp(4, 8, 16, 16),)),
    "interpolate_linear": (lambda x: F.interpolate(x, scale_factor=3.0, mode="linear"), lambda: (ramp(4, 8, 64),)),
    "interpolate_bilinear": (
        lambda x: F.interpolate(x, scale_factor=3.0, mode="bilinear"),
        lambda: (ramp(4, 8, 16, 16),),
    ),
    "interpolate_bicubic": (
        lambda x: F.interpolate(x, scale_factor=3.0, mode="bicubic"),
        lambda: (ramp(4, 8, 16, 16),),
    ),
    "nll_loss": (
        lambda x, y: F.nll_loss(x, y, reduction="none"),
        lambda: (ramp(256, 8), colliding(256, 8)),
    ),
    "nll_loss2d": (F.nll_loss, lambda: (ramp(4, 5, 32, 32), colliding(4096, 5).reshape(4, 32, 32))),
    "ctc_loss": (ctc, lambda: (ramp(30, 4, 6),)),
    "embedding_bag_max": (
        lambda w, i: F.embedding_bag(i, w, mode="max"),
        lambda: (ramp(16, 8), colliding(512, 16).reshape(64, 8)),
    ),
    "histc": (lambda x: torch.histc(x.detach(), bins=16), lambda: (ramp(4096),)),
    "bincount": (lambda v, i: torch.bincount(i, v.detach(), minlength=16), lambda: (ramp(4096), colliding(4096, 16))),
    "median": (lambda x: torch.median(x, 1)[0], lambda: (ramp(64, 64),)),
    "grid_sample": (
        lambda x, g: F.grid_sample(x, g / 1000, align_corners=False),
        lambda: (ramp(2, 4, 16, 16), ramp(2, 24, 24, 2)),
    ),
    "cumsum": (lambda x: x.cumsum(0), lambda: (ramp(4096),)),
}


@benchmark(
    variants={"first": 1, "third": 3},
    cpu={"operator": list(OPERATORS)},
    phases=(),
    claims=[identical("output", note="R1")],
)
def documented_operators(runs, operator):
    """Output and gradients with indices that meet; with ``--determinism full`` also whether it raises as documented.

    The list is that of torch.use_deterministic_algorithms; most of it speaks of GPUs only.
    """
    call, inputs = OPERATORS[operator]

    def run(*given):
        for _ in range(runs):
            torch.manual_seed(0)  # fractional pooling draws its regions
            results = with_gradients(call, *given)
        return results

    return Subject(run, *inputs())
