"""Two runs, each timed beside the same reference: what the machine did cancels, what the code did stays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from compared import CASE, FACTS, report, row, times

from bench.analysis.compare import compare
from bench.analysis.judging import Rule
from bench.analysis.reported import Report

KEPT = ("PyTorch 2.12.1, Python 3.11.7 (1f3a90c2)",)
RELATIVE = "relative/forward"


def run(
    seconds: float = 2e-3,
    relative: float = 1.0,
    *,
    seed: int,
    spread: float = 0.01,
    processes: int = 12,
    facts: Mapping[str, Sequence[str]] | None = None,
    variances: Sequence[float] = (),
) -> Report:
    """A report whose case takes ``seconds``, and ``relative`` times as long as in the reference."""
    values = times(relative, spread=spread, seed=seed, processes=processes)
    raw = row(times(seconds, seed=seed + 100, processes=processes))
    beside = row(values, metric=RELATIVE, unit="", process_variances=tuple(variances))
    return report(raw, beside, facts={**FACTS, "reference": KEPT, **(facts or {})}, name=f"run {seed}")


def judged(base: Report, new: Report, **options: object) -> tuple[str, bool]:
    """The state of the time, and whether it was compared beside the reference."""
    (pair,) = compare([base, new], **options).pairs  # type: ignore[arg-type]
    (change,) = [c for c in pair.changes if c.metric == "time/forward"]
    return change.state, change.relative


def test_a_machine_that_is_a_third_slower_changes_nothing_where_the_reference_is_slower_too() -> None:
    assert judged(run(seed=1), run(2.6e-3, seed=2)) == ("same", True)


def test_five_percent_are_told_though_the_machine_hides_them() -> None:
    base, new = run(seed=1), run(2e-3, 1.05, seed=2)
    assert judged(base, new) == ("worse", True)
    (pair,) = compare([base, new]).pairs
    (change,) = [c for c in pair.changes if c.case]
    assert (change.ratio, change.raw_ratio) == (pytest.approx(1.05, abs=0.01), pytest.approx(1.0, abs=0.01))
    assert pair.notes[0] == (
        "1 times were compared as multiples of what the reference took beside them (PyTorch 2.12.1, Python 3.11.7 "
        "(1f3a90c2)); the values shown are as measured"
    )


def test_multiples_of_a_reference_are_no_metric_of_their_own() -> None:
    (pair,) = compare([run(seed=1), run(seed=2)]).pairs
    assert [c.metric for c in pair.changes] == ["time/forward"]


@pytest.mark.parametrize("key", ["driver", "kernel", "cpu", "hypervisor"])
def test_what_the_reference_felt_as_well_is_not_seen_beside_it(key: str) -> None:
    base, new = (run(seed=seed, facts={key: (text,)}) for seed, text in ((1, "old"), (2, "new")))
    assert judged(base, new, allow=[key])[1] is False
    (pair,) = compare([base, new], allow=[key]).pairs
    told = "times were compared as measured: what differs of the machine and its system, the reference felt as well"
    assert told in pair.notes
    (blocked,) = compare([base, new]).pairs
    assert (told in blocked.notes) == (key == "driver")  # the others are not compared at all


def test_what_is_under_test_may_differ() -> None:
    assert judged(run(seed=1), run(seed=2, facts={"torch": ("2.13",), "cuda": ("13.0",)})) == ("same", True)


@pytest.mark.parametrize("other", [("PyTorch 2.13.0, Python 3.11.7 (77aa0000)",), ()], ids=["another", "none"])
def test_beside_another_reference_or_none_times_are_others_until_that_is_allowed(other: tuple[str, ...]) -> None:
    base, new = run(seed=1), run(seed=2)
    facts = {key: value for key, value in {**new.facts, "reference": other}.items() if value}
    changed = report(*new.rows[CASE].values(), facts=facts, name="new")
    assert judged(base, changed) == ("incomparable", False)
    assert judged(changed, base) == ("incomparable", False)
    assert judged(base, changed, allow=["reference"])[1] is False


def test_reports_that_were_timed_alone_are_compared_as_ever() -> None:
    assert judged(report(row(times(seed=1))), report(row(times(seed=2)))) == ("same", False)


def test_too_few_processes_beside_the_reference_leave_the_times_as_measured() -> None:
    assert judged(run(seed=1), run(seed=2, processes=4)) == ("unresolved", False)


def test_a_calibrated_floor_is_of_runs_apart_and_does_not_hold_beside_a_reference() -> None:
    rule = Rule(floors=lambda case, metric: 0.3)
    assert judged(run(seed=1), run(relative=1.06, seed=2), rule=rule) == ("worse", True)


def test_a_process_whose_rounds_scattered_counts_less() -> None:
    """Three of twelve processes were disturbed, and their rounds say so."""
    variances = (1e-6,) * 9 + (1e-3,) * 3
    values = (*times(1.05, spread=0.004, processes=9, seed=3), 0.9, 1.3, 1.25)

    def told(known: Sequence[float]) -> str:
        beside = row(values, metric=RELATIVE, unit="", process_variances=tuple(known))
        facts = {**FACTS, "reference": KEPT}
        new = report(row(times(seed=4)), beside, facts=facts, name="new")
        return judged(run(seed=1, spread=0.004), new)[0]

    assert (told(()), told(variances)) == ("unresolved", "worse")


def test_first_calls_are_still_judged_beside_what_the_machine_did() -> None:
    """The metronomes took 40 % longer, and so did first calls: no change of theirs."""

    def with_calls(of: Report, seconds: float, beats: float, seed: int) -> Report:
        raw = of.rows[CASE]["time/forward"]
        adjusted = row(tuple(v / beats for v in raw.process_values), metric="time/forward/adjusted")
        calls = row(times(seconds, seed=seed), metric="first_call/forward")
        return report(*of.rows[CASE].values(), adjusted, calls, facts=of.facts, name=of.name)

    base = with_calls(run(seed=1), 1e-2, 1.0, 11)
    new = with_calls(run(2.8e-3, seed=2), 1.4e-2, 1.4, 12)
    (pair,) = compare([base, new]).pairs
    states = {c.metric: (c.state, c.relative) for c in pair.changes}
    assert states == {"time/forward": ("same", True), "first_call/forward": ("unresolved", False)}


def test_rates_of_runs_apart_on_a_machine_that_differs_from_run_to_run() -> None:
    """Eight cases, 300 comparisons: each run's machine is its own, each process a little off."""
    random = np.random.default_rng(20261129)

    def side(planted: float) -> Report:
        machine = random.normal(0.0, 0.05)
        rows = []
        for number in range(8):
            own = machine + random.normal(0.0, 0.02)
            luck = random.normal(0.0, 0.012, 24)
            raw = tuple(2e-3 * np.exp(own + luck + random.normal(0.0, 0.03, 24)) * (1 + planted))
            beside = tuple(np.exp(luck) * (1 + planted))
            case = f"odd/op[n={number}]/x@cpu"
            rows += [row(raw, case=case), row(beside, case=case, metric=RELATIVE, unit="")]
        return report(*rows, facts={**FACTS, "reference": KEPT})

    def worse(planted: float) -> list[int]:
        pairs = [compare([side(0.0), side(planted)]).pairs[0] for _ in range(300)]
        return [pair.count("worse") + (0 if planted else pair.count("better")) for pair in pairs]

    assert sum(map(bool, worse(0.0))) <= 3
    assert sum(worse(0.05)) >= 0.95 * 8 * 300
