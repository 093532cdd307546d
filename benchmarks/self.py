"""How fast and how true the harness itself is: `make bench-self`, or `python benchmarks/self.py [FIGURE…]`.

Every figure is taken against something else in the same minutes, because machines differ and drift.  `standard` runs
suites/conv as `make run` does and takes minutes.
"""

from __future__ import annotations

import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy
import self_reports

from bench.analysis.intervals import half_width
from bench.measure import schedule
from bench.measure.device import Sample
from bench.measure.messages import Measure, Open, Take, Warm
from bench.measure.schedule import Step
from bench.measure.workers import Processes, ProcessWorker
from bench.model import Point, Record, make_point
from bench.store import read_records

HERE = Path(__file__).parent
ROOT = HERE.parent
CONV = ROOT / "suites" / "conv" / "bias_before_bn.py"
# Two threads on one free core spin against each other and take 45 ms for 0.2 ms of work: not the harness's time.
ONE_THREAD = {"OMP_NUM_THREADS": "1"}
CIFAR = make_point({"c_in": 16, "c_out": 16, "k": 3, "hw": 32, "n": 4, "dtype": "float32"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the table."""

    what: str
    measured: str
    target: str = ""
    verdict: str = ""

    def __str__(self) -> str:
        return f"{self.what:<62} {self.measured:>34}   {self.target:<10} {self.verdict}".rstrip()


def verdict(met: bool) -> str:
    return "met" if met else "MISSED"


def spread(values: Sequence[float], form: Callable[[float], str]) -> str:
    """Median and range."""
    return f"{form(statistics.median(values))} [{form(min(values))}, {form(max(values))}]"


def seconds_of(*command: str) -> float:
    """Wall time of a Python command."""
    start = time.perf_counter()
    subprocess.run([sys.executable, *command], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


# --- a fresh worker --------------------------------------------------------------------------------------------------


def fresh_worker(repeats: int = 9) -> Iterator[Figure]:
    """From asking for a process to the first sample of a convolution, in turns with a whole `import torch`."""
    launcher = Processes()
    launcher.launch(environment=ONE_THREAD).close()  # the server is started once per run
    shares, starts = [], []
    for _ in range(repeats):
        imported = seconds_of("-c", "import torch")
        start = time.perf_counter()
        worker = launcher.launch(environment=ONE_THREAD)
        ready(worker, CONV, CIFAR, ["no_bias"], "forward")
        worker.ask(Measure(steps=(Step(name="no_bias", phase="forward", loops=1),)))
        starts.append(time.perf_counter() - start)
        shares.append(starts[-1] / imported)
        worker.close()
    launcher.close()
    yield Figure(what="fresh worker to its first sample, in ms", measured=spread(starts, lambda s: f"{1e3 * s:.0f}"))
    met = verdict(statistics.median(shares) <= 0.03)
    yield Figure(
        what="the same as a share of `import torch`",
        measured=spread(shares, "{:.1%}".format),
        target="<= 3 %",
        verdict=met,
    )


def ready(worker: ProcessWorker, file: Path, point: Point, variants: Sequence[str], phase: str) -> None:
    """Open variants and warm them."""
    worker.ask(Take(torch_name="cpu"))
    for variant in variants:
        case = Open(
            name=variant,
            file=str(file),
            benchmark=file.stem,
            variant=variant,
            like=variants[0],
            point=point,
            seed=0,
        )
        reply = worker.ask(case)
        if reply.failure is not None:
            sys.exit(f"{file}: {reply.failure.reason}")
    for variant in variants:
        worker.ask(Warm(name=variant, phase=phase))


# --- bias ------------------------------------------------------------------------------------------------------------


def bias(processes: int = 24) -> Iterator[Figure]:
    """What a worker reports against a loop written by hand in the same process, in turns."""
    with tempfile.TemporaryDirectory(prefix="bench-self-") as folder:
        log = Path(folder, "seconds")
        environment = {**ONE_THREAD, "BARE_SECONDS": str(log)}
        launcher = Processes()
        for op, size, loops in (("add", 128, 700), ("mm", 640, 1)):
            point = make_point({"op": op, "size": size, "loops": loops})
            found = [one_process(launcher.launch(environment=environment), log, point, loops) for _ in range(processes)]
            logs = [ratio for ratio, _ in found if not math.isnan(ratio)]
            mean, half = statistics.mean(logs), half_width(logs, 0.95)
            low, middle, high = (math.expm1(value) for value in (mean - half, mean, mean + half))
            call = statistics.median(seconds for _, seconds in found)
            yield Figure(
                what=f"reported time against a bare loop, {op} of {1e6 * call:.3g} us",
                measured=f"{middle:+.2%} [{low:+.2%}, {high:+.2%}]",
                target="<= 1 %",
                verdict=verdict(abs(middle) <= 0.01) if half <= 0.01 else "unresolved: the machine is too noisy",
            )
        launcher.close()


def one_process(worker: ProcessWorker, log: Path, point: Point, loops: int, rounds: int = 60) -> tuple[float, float]:
    """Median log ratio of reported to bare seconds over the valid rounds of a fresh process, and seconds per call."""
    numpy.zeros(1000).tofile(log)
    ready(worker, HERE / "bare" / "bare_loop.py", point, ["harness", "by_hand"], "inference")
    steps = [
        Step(name=step.name, phase=step.phase, loops=loops if step.name == "harness" else 1)
        for step in schedule.rounds(["harness", "by_hand"], {"inference": 1}, rounds)
        if step.name != schedule.METRONOME
    ]
    taken = zip(steps, worker.ask(Measure(steps=tuple(steps))).taken, strict=True)
    worker.close()
    reported: dict[str, list[Sample]] = {"harness": [], "by_hand": []}
    for step, result in taken:
        assert result.sample is not None
        reported[step.name].append(result.sample)
    calls, *seconds = numpy.fromfile(log)
    bare = seconds[int(calls) - rounds : int(calls)]  # what came before warmed it up
    pairs = zip(reported["harness"], reported["by_hand"], bare, strict=True)
    valid = [math.log(ours.seconds / theirs) for ours, around, theirs in pairs if not ours.flags and not around.flags]
    return statistics.median(valid) if valid else math.nan, statistics.median(bare)


# --- whole runs ------------------------------------------------------------------------------------------------------


def help_(repeats: int = 9) -> Iterator[Figure]:
    """Time to the help text, beside an interpreter that does nothing."""
    helps, nothing = [], []
    for _ in range(repeats):
        helps.append(seconds_of("-m", "bench", "--help"))
        nothing.append(seconds_of("-c", "pass"))
    yield Figure(
        what="`python -m bench --help`, in s",
        measured=spread(helps, "{:.2f}".format),
        target="<= 0.3 s",
        verdict=verdict(statistics.median(helps) <= 0.3),
    )
    times = statistics.median(helps) / statistics.median(nothing)
    yield Figure(what="the same against `python -c pass`", measured=f"{times:.1f} x")


def smoke() -> Iterator[Figure]:
    yield from whole_run("smoke", 30)


def standard() -> Iterator[Figure]:
    yield from whole_run("standard", 240)


def whole_run(tier: str, limit_seconds: float) -> Iterator[Figure]:
    """The wall time of `bench run suites/conv` and where it goes."""
    spent, records = stopwatched(tier)
    told, left = (spent.pop(name) for name in ("told left", "left"))
    wall, measuring, warming = (spent.pop(name) for name in ("wall", "Measure", "Warm"))
    spent.pop("lock")  # another run had the CPU
    blocks = sum(sum(s.seconds) * s.loops for record in records for s in record.samples)
    inside, between = (blocks + warming) / wall, (measuring - blocks) / wall
    for what, measured, target, met in (
        (f"`bench run suites/conv --tier {tier}`", f"{wall:.0f} s", f"<= {limit_seconds:g} s", wall <= limit_seconds),
        ("  share of it in timed blocks and warming up", f"{inside:.0%}", ">= 60 %", inside >= 0.6),
        ("  share of it between samples", f"{between:.0%}", "<= 15 %", between <= 0.15),
    ):
        # A smoke run is too short to be about its samples.
        limited = tier == "standard" or what[0] == "`"
        yield Figure(what=what, measured=measured, target=target * limited, verdict=verdict(met) * limited)
    yield Figure(
        what=f"  time left told after a third of it ({left:.0f} s)",
        measured=f"{told / left - 1:+.0%}",
        target="+-25 %",
        verdict=verdict(abs(told / left - 1) <= 0.25),
    )
    parts = {"timed blocks": blocks, "warming up": warming, "between samples": measuring - blocks, **spent}
    parts["starting, reporting and the rest"] = wall - sum(parts.values())
    for name, seconds in sorted(parts.items(), key=lambda item: -item[1]):
        yield Figure(what=f"    {name}", measured=f"{seconds:.1f} s, {seconds / wall:.1%}")


def stopwatched(tier: str) -> tuple[dict[str, float], tuple[Record, ...]]:
    """Seconds by kind of request, and the records, of `bench run suites/conv` in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="bench-self-") as folder:
        spent, report = Path(folder, "spent.json"), Path(folder, "report")
        arguments = ["run", "suites/conv", "--device", "cpu", "--tier", tier, "--wait", "600s", "--output", str(report)]
        command = [sys.executable, str(HERE / "self_run.py"), str(spent), *arguments]
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        return json.loads(spent.read_text()), read_records(report)[0]


def parent() -> Iterator[Figure]:
    """Memory of the runner, with scripted workers."""
    few, many = resident(10), resident(1000)
    grown = (many - few) / 1e6
    yield Figure(
        what=f"memory of the runner from 10 to 1,000 cases ({few / 1e6:.0f} MB), in MB",
        measured=f"{grown:+.1f}",
        target="+-10 MB",
        verdict=verdict(abs(grown) <= 10),
    )


def resident(cases: int) -> int:
    with tempfile.TemporaryDirectory(prefix="bench-self-") as folder:
        command = [sys.executable, str(HERE / "self_parent.py"), str(cases), folder]
        return int(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)


# --- reports ---------------------------------------------------------------------------------------------------------


def compare() -> Iterator[Figure]:
    """`bench compare` of invented reports, beside an `import torch` that it does without."""
    imported = seconds_of("-c", "import torch")
    for what, took, seconds, most in self_reports.comparisons():
        yield Figure(
            what=what,
            measured=f"{took.seconds:.1f} s ({took.seconds / imported:.1f} x), {took.bytes / 1e6:.0f} MB",
            target=f"<= {seconds:g} s",
            verdict=verdict(took.seconds <= seconds and took.bytes <= most),
        )


def html() -> Iterator[Figure]:
    """`report.html` of an invented run."""
    took, size = self_reports.page()
    yield Figure(
        what="report.html of 500 cases, 10 processes, 100 samples",
        measured=f"{took.seconds:.1f} s, {took.bytes / 1e6:.0f} MB, file {size / 1e6:.1f} MB",
        target="<= 20 s",
        verdict=verdict(took.seconds <= 20 and took.bytes <= 1e9 and size <= 3e6),
    )


FIGURES = {
    "help": help_,
    "worker": fresh_worker,
    "bias": bias,
    "parent": parent,
    "compare": compare,
    "html": html,
    "smoke": smoke,
    "standard": standard,
}


def main() -> None:
    wanted = sys.argv[1:] or list(FIGURES)
    unknown = [name for name in wanted if name not in FIGURES]
    if unknown:
        sys.exit(f"no such figure: {', '.join(unknown)}; choose from {', '.join(FIGURES)}")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    for name in wanted:
        for figure in FIGURES[name]():
            print(figure, flush=True)


if __name__ == "__main__":
    main()
