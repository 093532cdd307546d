"""Is what METHOD says of CUDA true on this GPU?  Prints what was predicted, what was measured, and the verdict.

    PYTHONPATH=. python scripts/gpu_method.py [--json FILE]           the checks, about two minutes
    PYTHONPATH=. python scripts/gpu_method.py --spread REPORT REPORT  between-process and between-run spread of cases

Ends with status 1 when a check fails, 2 when there is no GPU to check.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import json
import math
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from gpu_checks import Outcome, Rig, repeated, run

from bench.errors import BenchError
from bench.measure.device import Block

_FIRST_KERNEL = "import torch; x = torch.ones(256, 256, device='cuda'); (x @ x).sum().item()"


def real_rig(torch_name: str) -> Rig:
    """The GPU of this machine."""
    import torch

    from bench.measure.cuda import Cuda

    def kernel_seconds(block: Block, calls: int) -> float:
        from torch.autograd import DeviceType
        from torch.profiler import ProfilerActivity, profile

        block(3)
        torch.cuda.synchronize()
        with profile(activities=[ProfilerActivity.CUDA]) as profiled:
            block(calls)
            torch.cuda.synchronize()
        events = profiled.profiler.kineto_results.events()
        return sum(e.duration_ns() for e in events if e.device_type() == DeviceType.CUDA) * 1e-9 / calls

    def process_seconds() -> float:
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", _FIRST_KERNEL], check=True)
        return time.perf_counter() - start

    def searched(x: torch.Tensor, w: torch.Tensor) -> None:
        with torch.backends.cudnn.flags(enabled=True, benchmark=True):
            torch.nn.functional.conv2d(x, w, padding=1)

    def first_calls() -> dict[str, Block]:
        half = torch.randn(999, 999, device=torch_name).half()
        x, w = torch.randn(7, 24, 61, 59, device=torch_name), torch.randn(40, 24, 3, 3, device=torch_name)
        return {
            "matmul in a type not used so far (library)": repeated(lambda: half @ half),
            "convolution of a new shape under cudnn.benchmark (search)": repeated(lambda: searched(x, w)),
            "a kernel not used so far (lazy loading)": repeated(lambda: torch.cumprod(x, dim=0)),
        }

    return Rig(
        torch=torch,
        device=Cuda(torch_name),
        clock=time.perf_counter,
        wait=time.sleep,
        kernel_seconds=kernel_seconds,
        process_seconds=process_seconds,
        first_calls=first_calls,
    )


def spread(reports: Sequence[Path]) -> str:
    """Per case and headline time: sd between processes of the first report, and the change to the second."""
    first, second = (_headlines(report) for report in reports)
    lines, within, between = [f"{'case and phase':<72} {'processes':>9} {'sd':>7} {'change':>8}"], [], []
    for name in first.keys() & second.keys():
        logs, others = first[name], second[name]
        if min(len(logs), len(others)) < 2:
            continue
        within.append(statistics.stdev(logs))
        between.append(statistics.mean(others) - statistics.mean(logs))
        lines.append(f"{name:<72} {len(logs):>9} {within[-1]:>7.2%} {between[-1]:>+8.2%}")
    if not within:
        raise BenchError("the two reports have no case with two processes each in common")
    root = math.sqrt(statistics.mean(change**2 for change in between) / 2)
    head = f"median sd between processes {statistics.median(within):.2%}; sd between runs {root:.2%}"
    return "\n".join([lines[0], *sorted(lines[1:]), head])


def _headlines(report: Path) -> dict[str, list[float]]:
    """Case and phase -> log of each process's time."""
    file = report / "report.csv" if report.is_dir() else report
    with open(file, encoding="utf-8", newline="") as stream:
        rows = [r for r in csv.DictReader(stream) if r["metric"].startswith("time/") and r["metric"].count("/") == 1]
    return {
        f"{row['case']} {row['metric']}": [math.log(float(value)) for value in row["process_values"].split(";")]
        for row in rows
        if row["status"] == "ok" and row["process_values"]
    }


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
        return report(run(real_rig(options.device)), options.json)
    except (BenchError, OSError) as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
