"""How fast reports are read, compared and drawn: figures of self.py about invented reports of every size."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy

from bench.model import Case, Claim, Declaration, Environment, Manifest, Record, Samples, make_point
from bench.report.frame import COLUMNS
from bench.store import Store

# HTML alone, from records: plots are files of their own.
PAGE = """
import sys
from pathlib import Path
from bench.analysis.summary import summarise
from bench.report.html import html
from bench.store import read_environments, read_manifest, read_records

folder = Path(sys.argv[1])
summary = summarise(read_manifest(folder), read_environments(folder), read_records(folder)[0])
(folder / "report.html").write_text(html(summary), encoding="utf-8")
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What a command took.  ``bytes``: the most memory that one of its processes held."""

    seconds: float
    bytes: float


def spent_by(*command: str) -> Spent:
    """Run a Python command; a status of a gate is no failure."""
    start = time.perf_counter()
    child = subprocess.Popen([sys.executable, *command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert child.stderr is not None
    said = child.stderr.read().decode()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in (0, 1, 5):
        sys.exit(f"{' '.join(command[:3])}: status {child.returncode}: {said}")
    return Spent(seconds=time.perf_counter() - start, bytes=1024 * usage.ru_maxrss)


# --- compare ---------------------------------------------------------------------------------------------------------


def comparisons() -> Iterator[tuple[str, Spent, float, float]]:
    """What was compared, what that took, and the most seconds and bytes that it may take."""
    with tempfile.TemporaryDirectory(prefix="bench-self-") as name:
        folder = Path(name)
        for many, rows, seconds, most in ((2, 2_000, 2.0, 1e9), (100, 2_000, 20.0, 1e9), (2, 200_000, 15.0, 8e9)):
            files = [folder / f"{many}-{rows}-{i}.csv" for i in range(many)]
            for i, file in enumerate(files):
                write_rows(file, rows, seed=i)
            took = spent_by("-m", "bench", "compare", *map(str, files), "--output", str(folder / "compared"))
            yield f"`bench compare` of {many} reports of {rows:,} rows", took, seconds, most


def write_rows(file: Path, rows: int, *, seed: int, processes: int = 12) -> None:
    """A report of nothing but times, each of so many processes that differ by a percent."""
    values = 1e-3 * numpy.exp(numpy.random.default_rng(seed).normal(0, 0.01, (rows, processes)))
    common = {"schema": 1, "suite": "s", "benchmark": "b", "version": "1", "variant": "v", "baseline": "v"}
    common |= {"device": "cpu", "metric": "time/forward", "unit": "s", "better": "lower", "status": "ok"}
    common |= {"processes": processes, "torch": "2.13.0", "cpu": "c", "host": "h", "run": str(seed), "confidence": 0.95}
    with open(file, "w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, COLUMNS)
        writer.writeheader()
        for n, row in enumerate(values):
            known = {
                "case": f"s/b[n={n}]/v@cpu",
                "point": f'{{"n":{n}}}',
                "value": float(numpy.exp(numpy.log(row).mean())),
            }
            writer.writerow({**common, **known, "process_values": ";".join(map(repr, row.tolist()))})


# --- HTML ------------------------------------------------------------------------------------------------------------


def page() -> tuple[Spent, int]:
    """What ``report.html`` of 500 cases, 10 processes and 100 samples takes, and its bytes."""
    with tempfile.TemporaryDirectory(prefix="bench-self-") as name:
        folder = Path(name)
        write_records(folder, benchmarks=25, points=10, processes=10, samples=100)
        took = spent_by("-c", PAGE, str(folder))
        return took, (folder / "report.html").stat().st_size


def write_records(folder: Path, *, benchmarks: int, points: int, processes: int, samples: int) -> None:
    """An invented run of benchmarks with two variants each."""
    rng = numpy.random.default_rng(0)
    environment = Environment(facts={"torch": "2.13.0", "cpu": "c", "cpu_count": 2, "os": "Linux"})
    declarations = tuple(declaration(f"b{i}") for i in range(benchmarks))
    cases = tuple(
        Case(suite="s", benchmark=d.benchmark, variant=v, baseline="a", point=make_point({"n": n}), device="cpu")
        for d in declarations
        for n in range(points)
        for v in d.variants
    )
    store = Store(folder)
    store.add_environment(environment)
    store.write_manifest(
        Manifest(
            run="r",
            command=("bench", "run", "s"),
            device="cpu",
            tier="standard",
            seed=0,
            precision=0.01,
            budget=120.0,
            started="2026-01-02T03:04:05Z",
            declarations=declarations,
            cases=cases,
            finished="ok",
        )
    )
    for process in range(1, processes + 1):
        for case in cases:
            slower = 1.05 if case.variant == "b" else 1.0
            store.append(
                record(case, process, slower * samples_of(rng, samples), samples_of(rng, samples), environment)
            )
    store.close()


def samples_of(rng: numpy.random.Generator, number: int) -> numpy.ndarray:
    return 1e-3 * numpy.exp(rng.normal(0, 0.01) + rng.normal(0, 0.01, number))


def declaration(name: str) -> Declaration:
    return Declaration(
        suite="s",
        benchmark=name,
        question="What does it cost?",
        explanation="Nothing is measured here.",
        variants=("a", "b"),
        phases=("forward",),
        claims=(Claim(kind="higher", metric="time", note="N1"),),
        source="def call(x):\n    return x\n",
        version="1",
    )


def record(case: Case, process: int, seconds: numpy.ndarray, beat: numpy.ndarray, environment: Environment) -> Record:
    taken = Samples(phase="forward", loops=1, seconds=tuple(seconds.tolist()), flags=((),) * len(seconds))
    return Record(
        case=case,
        version="1",
        process=process,
        status="ok",
        samples=(taken,),
        metronomes={"hash": tuple(beat.tolist())},
        environment=environment.key,
        run="r",
    )
