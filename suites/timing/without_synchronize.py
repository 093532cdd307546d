"""Does a timer that does not synchronise see the work?"""

import torch

from bench import Subject, benchmark, higher, unchanged


@benchmark(
    variants={"1x_work": 1, "64x_work": 64},
    cpu={"elements": [1024]},
    cuda={"elements": [1 << 24]},
    bytes_needed=lambda times, elements: 24 * 64 * elements,
    phases=("inference",),
    claims=[
        higher("time", of="64x_work", note="T1"),
        unchanged("time/inference/enqueue", of="64x_work", within="20%", on="cuda", note="T1"),
    ],
)
def without_synchronize(times, elements):
    """A GPU call returns when its kernel is queued; until then (`enqueue`) as much time passes for any amount of work.

    That is what a timer reads that does not wait for the GPU.  On a CPU nothing is asynchronous: the call returns
    with its work done, and there is nothing to synchronise.
    """
    return Subject(torch.sin, torch.randn(times * elements))
