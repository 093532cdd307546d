"""Does the harness report the time that a loop written by hand reports?"""

import os
import time
from functools import partial

import numpy
import torch

from bench import Subject, benchmark


def by_hand(op, loops, log, x, y):
    """What everybody writes; its seconds per call go into shared memory, outside of what it times."""
    start = time.perf_counter()
    for _ in range(loops):
        op(x, y)
    seconds = (time.perf_counter() - start) / loops
    log[0] += 1
    log[int(log[0])] = seconds


@benchmark(
    variants={"harness": False, "by_hand": True},
    cpu=[{"op": "add", "size": 128, "loops": 700}, {"op": "mm", "size": 640, "loops": 1}],
    phases=("inference",),
)
def bare_loop(hand, op, size, loops):
    """Microseconds and milliseconds a call: ``by_hand`` makes in one as many as a sample of ``harness`` has."""
    call = getattr(torch, op)
    log = numpy.memmap(os.environ["BARE_SECONDS"], "float64", "r+")
    return Subject(partial(by_hand, call, loops, log) if hand else call, torch.rand(size, size), torch.rand(size, size))
