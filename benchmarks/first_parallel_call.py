"""How often does the first call of a function in a process give other values than the second?

    python benchmarks/first_parallel_call.py [--processes 1000]

PyTorch gives contiguous arrays of floats to Intel MKL's vector functions, a part to each thread.  Where MKL chooses its
kernel in the first call, threads that come at the same time may run one of low accuracy, once
(https://github.com/pytorch/pytorch/issues/188792).  Each process is a fork of this one, in which no function ran yet.
"""

from __future__ import annotations

import argparse
import os

import torch

from bench.analysis.intervals import share_interval

FUNCTIONS = ("sqrt", "exp", "log", "sin", "cos", "tanh", "erf", "expm1")
ELEMENTS = 1 << 14  # a part for each of two threads


def first_against_second(name: str) -> float:
    """The largest relative difference between two calls with the same values."""
    function, x = getattr(torch, name), torch.linspace(0.01, 0.99, ELEMENTS)
    first, second = function(x), function(x)
    return float(((first - second) / second).abs().max())


def in_new_process(name: str) -> float:
    """``first_against_second`` in a fork."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.write(writing, repr(first_against_second(name)).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        found = float(answer.read())
    os.waitpid(child, 0)
    return found


def row(name: str, processes: int) -> str:
    """One function's line of the table."""
    found = [in_new_process(name) for _ in range(processes)]
    differing = sum(f > 0 for f in found)
    low, high = share_interval(differing, processes, 0.95)
    worst = f"{max(found):.0e}" if differing else "–"
    return f"| {name} | {differing} of {processes} | [{low:.2%}, {high:.2%}] | {worst} |"


def main() -> None:
    """Print the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=1000, help="for each function (default: 1000)")
    asked = parser.parse_args()
    print(f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads, {ELEMENTS} elements\n")
    print("| function | first call differs | 95 % | largest relative error |")
    print("|---|---|---|---|")
    for name in FUNCTIONS:
        print(row(name, asked.processes), flush=True)


if __name__ == "__main__":
    main()
