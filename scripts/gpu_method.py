"""Is what docs/gpu.md says true on this GPU?  Prints what was predicted, what was measured, and the verdict.

    PYTHONPATH=. python scripts/gpu_method.py [--json FILE]           the checks, about two minutes
    PYTHONPATH=. python scripts/gpu_method.py --spread REPORT REPORT  between-process and between-run spread of cases

Ends with status 1 when a check fails, 2 when there is no GPU to check.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import dataclasses
import json
import math
import signal
import statistics
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch as this_torch
from gpu_checks import run
from gpu_rig import Outcome, Profiled, Rig, repeated

from bench.discover import discover
from bench.errors import BenchError
from bench.measure.cuda import Cuda
from bench.measure.device import Block
from bench.measure.messages import Open, Reply, Request, Take, Warm
from bench.measure.stream import LONGEST_HOLD_SECONDS, Stream
from bench.measure.workers import Processes, Worker

# Whose first calls load a library each.
_LIBRARIES = {"matmul": "suites/matmul/linear_is_matmul.py", "convolution": "suites/conv/bias_before_bn.py"}
_WORKERS = 3


def rig_of(torch: Any, device: Cuda) -> Rig:
    """The rig of a GPU of this machine."""
    return Rig(
        torch=torch,
        device=device,
        clock=time.perf_counter,
        wait=time.sleep,
        profiled=lambda block, calls: profiled(torch, device.stream, block, calls),
        process_seconds=lambda: process_seconds(device.torch_name),
        first_calls=lambda: first_calls(torch, device.torch_name),
    )


def profiled(torch: Any, stream: Stream, block: Block, calls: int) -> Profiled | None:
    """Calls behind a hold, between two events, under the profiler; None where it tells of no kernels."""
    block(3)
    torch.cuda.synchronize()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
        span = stream.held_span(lambda: block(calls), LONGEST_HOLD_SECONDS)
        torch.cuda.synchronize()
    events = profile.profiler.kineto_results.events()
    kernels = kernel_seconds(events, torch.autograd.DeviceType.CUDA)[1:]  # the first one is the hold
    if not kernels:
        return None
    if not span.held:
        raise BenchError(f"{calls} calls under the profiler took the host longer than {LONGEST_HOLD_SECONDS} s")
    return Profiled(kernel_seconds=sum(kernels) / calls, event_seconds=span.seconds / calls)


def kernel_seconds(events: Iterable[Any], device_type: Any) -> list[float]:
    """Seconds of each of the profiler's events on the device, in the order in which they began."""
    ours = sorted((event for event in events if event.device_type() == device_type), key=lambda e: e.start_ns())
    return [event.duration_ns() * 1e-9 for event in ours]


def process_seconds(torch_name: str) -> list[dict[str, float]]:
    """For each of some workers forked from one server: seconds until it has the device, and those of its firsts."""
    with contextlib.closing(Processes()) as launcher:
        launcher.launch().close()  # now the server has imported torch, which no worker pays for
        return [_parts(launcher, torch_name) for _ in range(_WORKERS)]


def _parts(launcher: Processes, torch_name: str) -> dict[str, float]:
    start = time.perf_counter()
    with contextlib.closing(launcher.launch()) as worker:
        _ask(worker, Take(torch_name=torch_name))
        found = {"device": time.perf_counter() - start}
        for what, file in _LIBRARIES.items():
            (one,) = discover([file])
            case = one.benchmark.cases(one.suite, torch_name.partition(":")[0], "smoke")[0]
            opened = Open(
                name=what,
                file=str(one.path),
                benchmark=one.benchmark.name,
                variant=case.variant,
                like=case.variant,
                point=case.point,
                seed=0,
            )
            start = time.perf_counter()
            _ask(worker, opened)
            found[f"tensors of the {what}"] = time.perf_counter() - start
            warm_up = _ask(worker, Warm(name=what, phase="forward")).warm_up
            found[what] = warm_up.first_call if warm_up else math.nan
    return found


def _ask(worker: Worker, request: Request) -> Reply:
    reply = worker.ask(request)
    if reply.failure is not None:
        raise BenchError(f"a worker could not answer {type(request).__name__}: {reply.failure.reason}")
    return reply


def first_calls(torch: Any, torch_name: str) -> dict[str, Block]:
    """Calls that this process has not made: the first of each kind pays once.  In this order: the library, then it."""
    x, w = torch.randn(7, 24, 61, 59, device=torch_name), torch.randn(40, 24, 3, 3, device=torch_name)

    def convolve(images: Any, searching: bool) -> None:
        with torch.backends.cudnn.flags(enabled=True, benchmark=searching):
            torch.nn.functional.conv2d(images, w, padding=1)

    return {
        "a library (cuDNN)": repeated(lambda: convolve(x[:5], False)),
        "a search (cudnn.benchmark, a new shape)": repeated(lambda: convolve(x, True)),
        "lazy loading (a kernel not used so far)": repeated(lambda: torch.cumprod(x, dim=0)),
    }


def spread(reports: Sequence[Path]) -> str:
    """Per case and headline time: sd between processes of the first report, and the change to the second.

    The sd between runs is of two runs: what is left of the squared changes without the noise of their processes.
    """
    first, second = (_headlines(report) for report in reports)
    lines, within, between = [f"{'case and phase':<72} {'processes':>9} {'sd':>7} {'change':>8}"], [], []
    named = sorted({*first, *second})
    for name in named:
        logs, others = first.get(name, []), second.get(name, [])
        if min(len(logs), len(others)) < 2:
            continue
        change = statistics.mean(others) - statistics.mean(logs)
        within.append(statistics.stdev(logs))
        between.append(change**2 - sum(statistics.variance(side) / len(side) for side in (logs, others)))
        lines.append(f"{name:<72} {len(logs):>9} {within[-1]:>7.2%} {change:>+8.2%}")
    left_out = (
        f"left out {len(named) - len(within)} of {len(named)}: failed, in one report only, or of a single process"
    )
    if not within:
        raise BenchError(f"the two reports have no case with two processes each in common; {left_out}")
    root = math.sqrt(max(0.0, statistics.mean(between)) / 2)
    head = f"median sd between processes {statistics.median(within):.2%}; sd between runs, of two runs, {root:.2%}"
    return "\n".join([*lines, f"{head}; {left_out}"])


def _headlines(report: Path) -> Mapping[str, list[float]]:
    """Case and phase -> log of each process's time; empty where there is none to trust."""
    file = report / "report.csv" if report.is_dir() else report
    with open(file, encoding="utf-8", newline="") as stream:
        rows = [r for r in csv.DictReader(stream) if r["metric"].startswith("time/") and r["metric"].count("/") == 1]
    return {
        f"{row['case']} {row['metric']}": [math.log(float(v)) for v in row["process_values"].split(";") if _is_ok(row)]
        for row in rows
    }


def _is_ok(row: Mapping[str, str]) -> bool:
    return row["status"] == "ok" and bool(row["process_values"])


def table(outcomes: Sequence[Outcome]) -> str:
    """The outcomes, one to three lines each."""
    return "\n".join(
        f"{one.verdict:<12} {one.check}\n{'':13}predicted {one.predicted}\n{'':13}measured  {one.measured}"
        for one in outcomes
    )


def report(outcomes: Sequence[Outcome], file: Path | None) -> int:
    """Print the table, write it as JSON when asked, and give the exit status."""
    print(table(outcomes))
    counts = {v: sum(o.verdict == v for o in outcomes) for v in ("pass", "FAIL", "stated", "not measured")}
    print(", ".join(f"{number} {word}" for word, number in counts.items()))
    if file is not None:
        file.write_text(json.dumps([dataclasses.asdict(o) for o in outcomes], indent=1) + "\n", encoding="utf-8")
    return 1 if counts["FAIL"] else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line of this script; its exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--spread", type=Path, nargs=2, metavar="REPORT")
    options = parser.parse_args(arguments)
    try:
        if options.spread:
            print(spread(options.spread))
            return 0
        rig = rig_of(this_torch, Cuda(options.device))
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # what is known when its time is over, is kept
        return report(run(rig), options.json)
    except (BenchError, OSError) as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
