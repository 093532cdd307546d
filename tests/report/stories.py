"""Runs as reports see them, written by hand, so that every number in a golden file can be found here."""

from __future__ import annotations

import random

from builders import case, declaration, environment, manifest, samples

from bench.analysis.summary import Summary
from bench.model import Case, Check, Claim, Estimate, Flag, Record, Verdict

TIME = Claim(kind="higher", metric="time", of=("bias",), note="C5")
MEMORY = Claim(kind="unchanged", metric="memory/peak", note="C4")
OUTPUT = Claim(kind="close", metric="output", note="C1")
ON_CUDA = Claim(kind="lower", metric="time", of=("bias",), on="cuda")

MACHINE = environment(torch="2.13.0", python="3.11.2", host="box", gpu=None)
HOSTILE = "<script>alert(1)</script> \x1b[31m\u202e|`$x$`\"' =1+1 @you #1 & {{ x }}"


def story() -> Summary:
    """Three benchmarks: a timed one with a case that ran out of memory, one of checks only, one that was skipped."""
    small, large = ({"c": c, "n": 4} for c in (16, 64))
    cases = tuple(case(variant, point=point) for point in (small, large) for variant in ("no_bias", "bias"))
    checked = tuple(case(v, benchmark="rounding", baseline="plain", point={"n": 2}) for v in ("plain", "other"))
    broken = cases[3]
    return Summary(
        manifest=manifest(
            (*cases, *checked),
            declarations=(
                declaration(TIME, MEMORY, OUTPUT, ON_CUDA, phases=("forward", "backward")),
                declaration(
                    OUTPUT,
                    benchmark="rounding",
                    question="Does the order matter?",
                    variants=("plain", "other"),
                    phases=(),
                ),
                declaration(
                    benchmark="cudnn", question="Is cuDNN's search worth it?", skip_reason="needs a CUDA device"
                ),
            ),
            ceilings={"flops": 6e10, "bytes": 1.1e10},
        ),
        environments={MACHINE.key: MACHINE},
        records=(*_records(cases[:3]), _out_of_memory(broken), *map(_checked, checked)),
        estimates=(*_estimates(cases[:3]), *_broken(broken), *_skipped(), *_checked_estimates(checked)),
        verdicts=_verdicts(cases, checked),
    )


def _records(cases: tuple[Case, ...]) -> list[Record]:
    chance = random.Random(0)
    records = []
    for of in cases:
        differs = Check(what="output", level="quick", verdict="differs", repeats=20, differing=3, reason="")
        same = Check(what="gradient", level="quick", verdict="repeats", repeats=20)
        close = Check(what="output", level="numeric", verdict="close", error=3.8e-7, tolerance=1.3e-5)
        checks = (same,) if of.is_baseline else (close, differs)
        records.append(_record(of, 0, checks=checks))
        for process in range(1, 7):
            timed = tuple(
                samples([base * chance.uniform(0.99, 1.01) for _ in range(8)], phase, flags=_flags(process))
                for phase, base in (("forward", 0.0027), ("backward", 0.0054))
            )
            beats = {"hash": tuple(chance.uniform(0.00098, 0.00102) for _ in range(8))}
            records.append(_record(of, process, samples=timed, metronomes=beats))
    return records


def _record(of: Case, process: int, **fields: object) -> Record:
    fields = {"status": "ok", "environment": MACHINE.key, **fields}
    return Record(case=of, version="v1", process=process, run="r1", time=f"2026-01-02T03:04:0{process}Z", **fields)


def _flags(process: int) -> tuple[tuple[Flag, ...], ...]:
    return ((("page_faults",) if process == 2 else ()), *[()] * 7)


def _out_of_memory(of: Case) -> Record:
    return _record(of, 1, status="oom", reason="needs 19.6 GB, has 8.0 GB", warnings=("Traceback:\n  line 1",))


def _checked(of: Case) -> Record:
    error = Check(what="output", level="numeric", verdict="different", error=0.41, tolerance=1e-5)
    return _record(of, 0, checks=() if of.is_baseline else (error,))


def _estimates(cases: tuple[Case, ...]) -> list[Estimate]:
    rows = []
    for i, of in enumerate(cases):
        common = {"case": of, "status": "ok", "version": "v1", "environment": MACHINE.key}
        ratio = {} if of.is_baseline else {"ratio": 1.041, "ratio_low": 1.036, "ratio_high": 1.047}
        for phase, value in (("forward", 0.0027), ("backward", 0.0054)):
            timed = {
                "value": value * (1 + i / 100),
                "low": value * (0.99 + i / 100),
                "high": value * (1.01 + i / 100),
                "confidence": 0.95,
                "process_values": (value, value * 1.01, value * 0.99),
                "samples": 48,
                "valid_fraction": 0.98,
                "stop_reason": "precise" if i < 2 else "budget",
                "flags": {"page_faults": 0.125 if i == 1 else 0.02},
                "facts": ("two modes: 30 % of samples are near 3.1 ms",) if i == 1 else (),
            }
            rows += [
                Estimate(metric=f"time/{phase}", **common, **ratio, **timed),
                Estimate(metric=f"memory/peak/{phase}", value=1.5 * 2**20, **common, **(ratio and {"ratio": 1.0})),
                Estimate(metric=f"rate/flops/{phase}", value=3.2e10, **common),
            ]
        rows.append(Estimate(metric="bits/output", value="ab" * 32, **common))
    return rows


def _broken(of: Case) -> list[Estimate]:
    reason = "needs 19.6 GB, has 8.0 GB"
    return [Estimate(case=of, metric=f"time/{p}", status="oom", reason=reason) for p in ("forward", "backward")]


def _skipped() -> list[Estimate]:
    cases = (case(variant, benchmark="cudnn", point={}) for variant in ("no_bias", "bias"))
    return [Estimate(case=c, metric="time/forward", status="skipped", reason="needs a CUDA device") for c in cases]


def _checked_estimates(cases: tuple[Case, ...]) -> list[Estimate]:
    return [Estimate(case=of, metric="memory/parameters", status="ok", value=4096.0) for of in cases]


def _verdicts(cases: tuple[Case, ...], checked: tuple[Case, ...]) -> tuple[Verdict, ...]:
    small, large = cases[1], cases[3]
    effect = {"ratio": 1.041, "low": 1.036, "high": 1.047, "processes": 6}
    costs = "bias costs +4.1 % [3.6, 4.7] forward time: 6 processes, 48 rounds"
    wide = {"ratio": 1.02, "low": 0.995, "high": 1.046, "processes": 6}
    return (
        Verdict(case=small, claim=TIME, metric="time/forward", decision="confirmed", evidence=costs, **effect),
        Verdict(case=small, claim=TIME, metric="time/backward", decision="undecided", evidence="too wide", **wide),
        Verdict(case=large, claim=TIME, metric="time/forward", decision="undecided", evidence="out of memory"),
        Verdict(
            case=small, claim=MEMORY, metric="memory/peak/forward", decision="confirmed", evidence="1.5 MiB", ratio=1.0
        ),
        Verdict(case=small, claim=OUTPUT, metric="output", decision="confirmed", evidence="relative error 3.8e-07"),
        Verdict(case=checked[1], claim=OUTPUT, metric="output", decision="refuted", evidence="relative error 0.41"),
        Verdict(case=small, claim=ON_CUDA, metric="time/forward", decision="not applicable", evidence="only on cuda"),
    )


def hostile() -> Summary:
    """Names that want to be markup, formulas, terminal commands and very long."""
    names = {"suite": HOSTILE, "benchmark": HOSTILE, "baseline": "a" + HOSTILE, "point": {"x": "=1+1"}}
    cases = (case("a" + HOSTILE, **names), case("x" * 10_000, **names))
    claim = Claim(kind="higher", metric="time", of=(HOSTILE,), note=HOSTILE)
    machine = environment(cpu=HOSTILE, torch=HOSTILE)
    estimates = [
        Estimate(
            case=of,
            metric="time/forward",
            status="ok",
            value=0.001,
            ratio=None if of.is_baseline else 1.5,
            ratio_low=None if of.is_baseline else 1.4,
            ratio_high=None if of.is_baseline else 1.6,
            facts=(HOSTILE,),
            environment=machine.key,
        )
        for of in cases
    ]
    broken = Estimate(case=cases[1], metric="time/backward", status="failed", reason=HOSTILE * 200)
    records = tuple(
        Record(
            case=of,
            version="v",
            process=process,
            status="ok",
            samples=(samples([0.001, 0.0011, 0.0012]),),
            metronomes={HOSTILE: (0.001, 0.002, 0.001)},
            checks=(Check(what=HOSTILE, level="quick", verdict="differs", repeats=2, differing=1, reason=HOSTILE),),
            warnings=(HOSTILE,),
            environment=machine.key,
        )
        for of in cases
        for process in (1, 2)
    )
    declared = declaration(
        claim,
        suite=HOSTILE,
        benchmark=HOSTILE,
        question=HOSTILE,
        explanation=HOSTILE,
        source=HOSTILE,
        variants=tuple(of.variant for of in cases),
        phases=("forward", "backward"),
    )
    return Summary(
        manifest=manifest(cases, declarations=(declared,), command=("bench", HOSTILE)),
        environments={machine.key: machine},
        records=records,
        estimates=(*estimates, broken),
        verdicts=(
            Verdict(case=cases[1], claim=claim, metric="time/forward", decision="refuted", evidence=HOSTILE, ratio=1.5),
        ),
    )


def nothing() -> Summary:
    """A run that was stopped before its first process."""
    return Summary(
        manifest=manifest((case("no_bias"), case("bias")), finished=""),
        environments={},
        records=(),
        estimates=(),
        verdicts=(),
    )


def large(benchmarks: int, processes: int = 10, rounds: int = 100) -> Summary:
    """Twenty cases a benchmark, each measured again and again."""
    chance = random.Random(1)
    variants = ("plain", "b", "c", "d")
    cases = tuple(
        case(variant, benchmark=f"bench_{i:02d}", baseline="plain", point={"c": 2**c})
        for i in range(benchmarks)
        for c in range(5)
        for variant in variants
    )
    records, estimates, verdicts = [], [], []
    for of in cases:
        for process in range(1, processes + 1):
            seconds = [chance.lognormvariate(-6, 0.02) for _ in range(rounds)]
            records.append(_record(of, process % 10, samples=(samples(seconds),)))
        compared = {} if of.is_baseline else {"ratio": 1.01, "ratio_low": 1.0, "ratio_high": 1.02}
        common = {"case": of, "status": "ok", "environment": MACHINE.key}
        estimates += [
            Estimate(metric="time/forward", value=0.0025, process_values=(0.0025,) * processes, **common, **compared),
            Estimate(metric="memory/peak/forward", value=1e6, **common),
        ]
        if not of.is_baseline:
            evidence = "b changes forward time by +1.0 % [0.0, 2.0]: 10 processes, 1000 rounds"
            verdicts.append(
                Verdict(
                    case=of,
                    claim=MEMORY,
                    metric="memory/peak/forward",
                    decision="confirmed",
                    evidence=evidence,
                    ratio=1.0,
                )
            )
    declared = tuple(
        declaration(MEMORY, benchmark=f"bench_{i:02d}", variants=variants, source="pass\n" * 40)
        for i in range(benchmarks)
    )
    return Summary(
        manifest=manifest(cases, declarations=declared),
        environments={MACHINE.key: MACHINE},
        records=tuple(records),
        estimates=tuple(estimates),
        verdicts=tuple(verdicts),
    )
