"""The error rates of ``compare``, by simulation: what it promises is true of it."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from compared import report, row
from neighbours import neighbourhood

from bench.analysis.compare import compare
from bench.analysis.estimate import estimate
from bench.analysis.judging import Rule, judge
from bench.analysis.reported import Report
from bench.analysis.trials import BEYOND_METRONOMES, Match, Trial

RNG_SEED = 20261121
CASES = 100
UNNAMED = Match(old=row(), new=row())


def trials(
    rng: np.random.Generator, effects: np.ndarray, *, processes: int, spread: float, noise: str = "normal"
) -> list[Trial]:  # type: ignore[type-arg]
    """One comparison: ``effects`` holds each case's true log ratio."""
    draw = {
        "normal": lambda n: rng.normal(0, spread, n),
        # A quarter of the processes lands in a mode three spreads slower, as with memory placement.
        "two modes": lambda n: rng.normal(0, spread, n) + 3 * spread * (rng.random(n) < 0.25),
        "heavy tail": lambda n: spread * rng.standard_t(3, n),
    }[noise]
    shape = (len(effects), processes)
    base, new = np.exp(draw(shape)), np.exp(draw(shape) + effects[:, None])
    return [
        Trial(
            match=UNNAMED,
            base_values=tuple(base[n]),
            new_values=tuple(new[n]),
        )
        for n in range(len(effects))
    ]


def states(found: list[Trial], rule: Rule) -> list[str]:
    return [change.state for change in judge(found, rule)]


@pytest.mark.parametrize("noise", ["normal", "two modes", "heavy tail"])
@pytest.mark.parametrize("processes", [5, 12])
def test_comparisons_of_the_same_code_with_any_alarm_are_at_most_one_percent(noise: str, processes: int) -> None:
    rng = np.random.default_rng(RNG_SEED)
    comparisons = 150
    alarms = 0
    for _ in range(comparisons):
        found = states(trials(rng, np.zeros(CASES), processes=processes, spread=0.03, noise=noise), Rule())
        alarms += bool({"worse", "better"} & set(found))
    assert alarms <= 0.01 * comparisons


def test_without_any_floor_the_alarms_stay_near_the_rate_asked_for() -> None:
    """With no true change at all, the false-discovery rate is the share of comparisons with any alarm."""
    rng = np.random.default_rng(RNG_SEED)
    comparisons = 400
    alarms = 0
    for _ in range(comparisons):
        found = states(trials(rng, np.zeros(20), processes=12, spread=0.03), Rule(floor=0.0, fdr=0.05))
        alarms += bool({"worse", "better"} & set(found))
    # 5 % of 400 is 20, with a standard deviation of 4.4
    assert 5 <= alarms <= 35


def test_even_with_every_case_on_the_floor_false_alarms_stay_rare() -> None:
    """The worst that can be: 100 cases, each slower by exactly the 2 % that nobody wants to hear of."""
    rng = np.random.default_rng(RNG_SEED)
    edge = np.full(CASES, np.log(1.02))
    alarms = sum("worse" in states(trials(rng, edge, processes=12, spread=0.03), Rule()) for _ in range(150))
    assert alarms <= 0.05 * 150


def test_the_share_of_false_alarms_among_the_alarms_is_what_was_asked_for() -> None:
    """20 of 100 cases are 8 % slower, the others not at all; q = 10 % so that the share can be seen."""
    rng = np.random.default_rng(RNG_SEED)
    truth = np.where(np.arange(CASES) < 20, np.log(1.08), np.log(1.02))
    false = found = 0
    for _ in range(100):
        worse = [
            n
            for n, state in enumerate(states(trials(rng, truth, processes=12, spread=0.03), Rule(fdr=0.1)))
            if state == "worse"
        ]
        false += sum(n >= 20 for n in worse)
        found += len(worse)
    assert found > 1000
    assert false / found <= 0.1


def power(*, effect: float, processes: int, spread: float, cases: int = 8) -> float:
    """Share of slower cases found, all of them slower, as a new driver would have it."""
    rng = np.random.default_rng(RNG_SEED)
    truth = np.full(cases, np.log1p(effect))
    found = [states(trials(rng, truth, processes=processes, spread=spread), Rule()).count("worse") for _ in range(200)]
    return sum(found) / (200 * cases)


def test_power_grows_with_the_change_with_processes_and_with_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    table = {
        (spread, processes): [power(effect=e, processes=processes, spread=spread) for e in (0.03, 0.05, 0.1)]
        for spread in (0.01, 0.03, 0.05)
        for processes in (12, 40)
    }
    lines = ["", "share of slower cases that compare finds (floor 2 %, 8 cases, q = 1 %)"]
    for (spread, processes), shares in table.items():
        shown = "  ".join(f"+{e} % {share:4.0%}" for e, share in zip((3, 5, 10), shares, strict=True))
        lines.append(f"  spread {spread:.0%}, {processes} processes: {shown}")
    with capsys.disabled():
        sys.stdout.write("\n".join([*lines, ""]))
    for shares in table.values():
        assert shares == sorted(shares)
    for spread in (0.01, 0.03, 0.05):
        assert table[spread, 12] <= table[spread, 40]
    # The aim of docs/method.md: +5 % in at least 80 %, with 40 short processes; the spread of adjusted times is 2-5 %.
    assert table[0.03, 40][1] >= 0.8


def test_a_machine_that_moved_raises_no_alarm_whatever_a_case_makes_of_it() -> None:
    """The metronomes took 10 % longer; cases slow by anything from nothing to two and a half times as much."""
    rng = np.random.default_rng(RNG_SEED)
    pace = np.log(1.1)

    def alarms(known: bool) -> int:
        found = 0
        for _ in range(100):
            left = pace * (rng.uniform(0, 2.5, 8) - 1)
            moved = [
                t._replace(adjusted=True, pace=pace if known else 0.0, beyond=BEYOND_METRONOMES)
                for t in trials(rng, left, processes=20, spread=0.02)
            ]
            found += bool({"worse", "better"} & set(states(moved, Rule())))
        return found

    assert alarms(known=True) <= 1
    assert alarms(known=False) >= 50


def test_what_is_called_the_same_is_the_same() -> None:
    """A case slower by exactly the floor is called the same in at most 2.5 % of trials."""
    rng = np.random.default_rng(RNG_SEED)
    edge = np.full(2000, np.log(1.02))
    called = states(trials(rng, edge, processes=20, spread=0.01), Rule()).count("same")
    assert called <= 0.035 * 2000
    inside = states(trials(rng, np.zeros(500), processes=20, spread=0.01), Rule()).count("same")
    assert inside >= 0.9 * 500


def test_pooled_samples_in_place_of_processes_fail_the_same_simulation() -> None:
    """Samples of one process share its luck: taking them for independent makes alarms of identical code."""
    rng = np.random.default_rng(RNG_SEED)

    def pooled(luck: np.ndarray) -> tuple[float, ...]:  # type: ignore[type-arg]
        return tuple(np.exp(luck[:, None] + rng.normal(0, 0.01, (len(luck), 30))).ravel())

    alarms = 0
    for _ in range(100):
        by_case = [
            Trial(
                match=UNNAMED,
                base_values=pooled(rng.normal(0, 0.03, 5)),
                new_values=pooled(rng.normal(0, 0.03, 5)),
            )
            for n in range(8)
        ]
        alarms += bool({"worse", "better"} & set(states(by_case, Rule())))
    assert alarms >= 30


def reported(seed: int, name: str, **machine: float) -> Report:
    """The report of a run on a machine with neighbours."""
    rows = [row(e.process_values, metric=e.metric) for e in estimate(neighbourhood(seed, **machine))]
    return report(*rows, name=name)


@pytest.mark.parametrize("busy", [(0.2, 0.2), (0.5, 0.5), (0.2, 0.7)])
def test_neighbours_that_come_and_go_raise_no_alarm_and_hide_no_slowdown(busy: tuple[float, float]) -> None:
    """40 pairs each: raw times of two such runs differ by 10 % and more, and 5 % are found all the same."""
    before, after = busy

    def told(seed: int, slower: float) -> str:
        new = reported(10_000 + seed, "new", busy=after, true=2e-3 * slower)
        return compare([reported(seed, "base", busy=before), new]).changes[0].state

    assert {told(seed, 1.0) for seed in range(40)} <= {"same", "unresolved"}
    assert sum(told(seed, 1.05) == "worse" for seed in range(40)) >= 36
