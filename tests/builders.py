"""Values for tests, built in one line: every builder has a sensible default for everything it is not told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bench.model import Case, Claim, Declaration, Environment, Estimate, Manifest, Record, Samples, Value, make_point


def case(
    variant: str = "bias",
    *,
    suite: str = "conv",
    benchmark: str = "bias_before_bn",
    baseline: str = "no_bias",
    point: Mapping[str, Value] | None = None,
    device: str = "cpu",
) -> Case:
    """``conv/bias_before_bn[c=16,n=4]/bias@cpu`` unless told otherwise."""
    return Case(
        suite=suite,
        benchmark=benchmark,
        variant=variant,
        baseline=baseline,
        point=make_point({"c": 16, "n": 4} if point is None else point),
        device=device,
    )


def samples(seconds: Iterable[float], phase: str = "forward", **fields: Any) -> Samples:
    """Samples without flags; ``fields`` replace any other field of Samples."""
    values = tuple(seconds)
    return Samples(phase=phase, seconds=values, **{"loops": 1, "flags": ((),) * len(values), **fields})


def record(
    of: Case | str = "bias",
    seconds: Iterable[float] | Mapping[str, Iterable[float]] = (),
    *,
    process: int = 1,
    **fields: Any,
) -> Record:
    """One case (or variant name) in one process.  ``seconds``: of the phase ``forward``, or phase -> seconds."""
    timed = dict(seconds) if isinstance(seconds, Mapping) else {"forward": tuple(seconds)}
    return Record(
        case=case(of) if isinstance(of, str) else of,
        process=process,
        **{
            "version": "v1",
            "status": "ok",
            "samples": tuple(samples(values, phase) for phase, values in timed.items() if tuple(values)),
            "environment": "e1",
            "run": "r1",
            **fields,
        },
    )


def estimate(of: Case | str = "bias", metric: str = "time/forward", **fields: Any) -> Estimate:
    """An estimate with status ``ok`` of one case (or variant name)."""
    return Estimate(case=case(of) if isinstance(of, str) else of, metric=metric, **{"status": "ok", **fields})


def declaration(*claims: Claim, **fields: Any) -> Declaration:
    """The declaration of ``bias_before_bn`` with the variants ``no_bias`` (baseline) and ``bias``."""
    return Declaration(
        **{
            "suite": "conv",
            "benchmark": "bias_before_bn",
            "question": "Does a convolution bias directly before BatchNorm buy anything?",
            "explanation": "BatchNorm subtracts the mean.",
            "variants": ("no_bias", "bias"),
            "phases": ("forward",),
            "claims": claims,
            "source": "suites/conv/bias_before_bn.py",
            "version": "v1",
            **fields,
        }
    )


def manifest(cases: Sequence[Case] | None = None, *claims: Claim, **fields: Any) -> Manifest:
    """A finished smoke run of both variants on the CPU."""
    return Manifest(
        cases=tuple((case("no_bias"), case("bias")) if cases is None else cases),
        **{
            "run": "r1",
            "command": ("bench", "run", "suites/conv"),
            "device": "cpu",
            "tier": "smoke",
            "seed": 0,
            "precision": 0.01,
            "budget": 120.0,
            "started": "2026-01-02T03:04:05Z",
            "declarations": (declaration(*claims),),
            "finished": "ok",
            **fields,
        },
    )


def environment(**facts: Value) -> Environment:
    """A small machine with a CPU build of torch."""
    return Environment(facts={"torch": "2.13.0", "cpu": "Test CPU", "cpu_count": 2, "os": "Linux", **facts})
