import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from builders import case, record
from compared import report, row
from hypothesis import given
from hypothesis import strategies as st
from neighbours import neighbourhood

from bench.analysis.calm import LARGEST_COEFFICIENT, best, calm_rounds, common_coefficient, freed
from bench.analysis.compare import compare
from bench.analysis.estimate import estimate
from bench.analysis.reported import Report
from bench.model import Estimate, Record

RNG = np.random.default_rng


def test_the_best_of_a_metronome_is_among_its_fastest_of_the_whole_run() -> None:
    slow = record(process=1, metronomes={"hash": (2.0,) * 90, "copy": ()})
    fast = record(process=2, metronomes={"hash": (1.0,) * 10 + (0.0, math.nan)})
    assert best([slow, fast]) == {"hash": 1.0}


def test_a_round_is_calm_when_the_metronomes_are_near_their_best_before_and_after_it() -> None:
    beating = record(
        metronomes={"hash": (1.0, 1.08, 1.5, 1.0, 1.09, 1.0, 1.0), "copy": (1.0, 1.15, 1.15, 1.15, 1.0, 1.0, 1.3)}
    )
    calm = calm_rounds(beating, {"hash": 1.0, "copy": 1.0})
    assert calm.tolist() == [True, False, False, True, True, False, False]


def test_a_process_with_fewer_than_three_calm_rounds_has_none() -> None:
    assert not calm_rounds(record(metronomes={"hash": (1.0, 1.0, 1.0, 2.0)}), {"hash": 1.0}).any()
    assert calm_rounds(record(metronomes={"hash": (1.0, 1.0, 1.0, 1.0)}), {"hash": 1.0}).all()
    assert not calm_rounds(record(metronomes={"hash": (1.0, 1.0, 1.0, math.nan)}), {"hash": 1.0})[2:].any()
    assert calm_rounds(record(), {"hash": 1.0}).tolist() == []


def test_calm_rounds_find_the_time_of_a_machine_without_neighbours() -> None:
    rows = {row.metric: row for row in estimate(neighbourhood(1))}
    raw, calm, adjusted = (rows[f"time/forward{name}"] for name in ("", "/calm", "/calm_adjusted"))
    assert raw.value > 2.2e-3  # type: ignore[operator]
    assert calm.value == pytest.approx(2e-3, rel=0.02)
    assert adjusted.value == pytest.approx(2e-3, rel=0.02)
    assert np.std(np.log(calm.process_values)) < 0.2 * np.std(np.log(raw.process_values))
    assert calm.facts[0].endswith(" of 384 samples were taken in calm rounds")
    assert 5 <= len(calm.process_values) < 24
    assert rows["time/forward/adjusted"].value != pytest.approx(2e-3, rel=0.05)


def test_a_machine_that_is_never_calm_has_no_calm_time_and_a_calm_one_only_calm_times() -> None:
    rows = {row.metric: row for row in estimate(neighbourhood(2, busy=0.0, processes=12))}
    assert len(rows["time/forward/calm"].process_values) >= 10
    alternating = [
        record(seconds=(1e-3 * (1 + p / 100),) * 8, process=p, metronomes={"hash": (1.0, 2.0) * 4}) for p in range(1, 9)
    ]
    assert "time/forward/calm" not in {row.metric for row in estimate(alternating)}


def test_where_few_processes_were_calm_their_times_are_told_but_not_adjusted() -> None:
    few = neighbourhood(3, processes=4)
    rows = {row.metric: row for row in estimate(few)}
    assert 1 <= len(rows["time/forward/calm"].process_values) < 5
    assert "time/forward/calm_adjusted" not in rows


def test_the_clock_of_a_gpu_has_no_neighbours() -> None:
    of = case("bias", device="cuda")
    rows = estimate([replace(r, case=of) for r in neighbourhood(4)])
    assert not [row for row in rows if "calm" in row.metric]


# --- the clock -------------------------------------------------------------------------------------------------------


def clocked(
    seed: int, *, follows: float, clock: float = 1.0, slower: float = 1.0, processes: int = 24, wander: float = 0.02
) -> list[Record]:
    """Calm processes of 16 rounds on a processor whose clocks take ``clock`` times as long, wandering a little.

    The case slows by ``follows`` percent when they slow by one, and is ``slower`` than it was.
    """
    rng, records = RNG(seed), []
    for process in range(1, processes + 1):
        pace = math.log(clock) + wander * rng.normal() + 0.01 * rng.normal(size=17)
        hashes, loops = (1e-4 * np.exp(pace + 0.002 * rng.normal(size=17)) for _ in range(2))
        seconds = 2e-3 * slower * np.exp(follows * (pace[:16] + pace[1:]) / 2 + 0.002 * rng.normal(size=16))
        ticks = {"hash": tuple(hashes[:16]), "copy": (3e-4,) * 16, "python": tuple(loops[:16])}
        records.append(record(seconds=seconds.tolist(), process=process, metronomes=ticks))
    return records


def rows_of(records: Sequence[Record]) -> dict[str, Estimate]:
    return {row.metric: row for row in estimate(records)}


def reported(records: Sequence[Record]) -> Report:
    """The times and coefficients as ``compare`` reads them."""
    rows = [e for e in estimate(records) if e.metric.startswith(("time/", "coefficient/"))]
    return report(*(row(e.process_values, metric=e.metric, value=e.value) for e in rows))


@pytest.mark.parametrize("follows", [0.0, 0.15, 1.0, 1.3])
def test_the_coefficient_is_how_far_a_case_follows_the_clock(follows: float) -> None:
    row = rows_of(clocked(1, follows=follows))["coefficient/forward"]
    assert row.value == pytest.approx(follows, abs=0.08)
    assert row.samples > 200
    assert row.facts[0].startswith("± 0.0")


def test_the_coefficient_lies_between_nothing_and_what_was_ever_seen() -> None:
    assert rows_of(clocked(1, follows=-1.0))["coefficient/forward"].value == 0.0
    assert rows_of(clocked(1, follows=4.0))["coefficient/forward"].value == LARGEST_COEFFICIENT


def test_clocks_that_never_moved_tell_no_coefficient() -> None:
    still = [replace(r, metronomes={"hash": (1e-4,) * 16}) for r in clocked(1, follows=0.0)]
    rows = rows_of(still)
    assert "time/forward/calm" in rows
    assert "coefficient/forward" not in rows
    assert "time/forward/calm_adjusted" not in rows


def test_a_clock_that_stood_still_makes_no_round_calm_and_nothing_worse() -> None:
    broken = [replace(r, metronomes={"hash": (0.0,) * 16}) for r in clocked(1, follows=0.0)]
    assert not [name for name in rows_of(broken) if "calm" in name or "coefficient" in name]


@pytest.mark.parametrize("follows", [0.0, 0.15, 1.0])
def test_another_clock_is_no_change_whether_a_case_follows_it_or_not(follows: float) -> None:
    """Divided by the metronomes, what does not follow them would come out 5 % faster."""
    base, new = (reported(clocked(s, follows=follows, clock=c)) for s, c in ((1, 1.0), (2, 1.05)))
    (change,) = compare([base, new]).changes
    assert change.state == "same"
    assert change.ratio == pytest.approx(1.0, abs=0.006)
    assert change.machine == pytest.approx(1.05, abs=0.01)


@pytest.mark.parametrize("follows", [0.0, 0.15, 1.0])
def test_what_is_slower_on_another_clock_is_found(follows: float) -> None:
    slow = clocked(2, follows=follows, clock=1.05, slower=1.06, wander=0.005)
    (change,) = compare([reported(clocked(1, follows=follows, wander=0.005)), reported(slow)]).changes
    assert change.state == "worse"
    assert change.ratio == pytest.approx(1.06, abs=0.01)


@given(
    seconds=st.lists(st.floats(1e-6, 1.0), min_size=1, max_size=9),
    tick=st.floats(0.5, 2.0),
    coefficient=st.floats(0.0, LARGEST_COEFFICIENT),
)
def test_the_reference_cancels_where_both_sides_use_one_coefficient(
    seconds: list[float], tick: float, coefficient: float
) -> None:
    """Doubling the nominal machine's seconds changes no ratio of freed times."""
    once, twice = (freed(seconds, [s * k / tick for s in seconds], coefficient) for k in (1.0, 2.0))
    assert [b / a for a, b in zip(once, twice, strict=True)] == pytest.approx([2**coefficient] * len(seconds))
    assert freed(seconds, [s / tick for s in seconds], 0.0) == pytest.approx(seconds)


def test_runs_share_one_coefficient_and_without_any_the_metronomes_are_divided_out() -> None:
    assert common_coefficient([0.1, 0.3]) == pytest.approx(0.2)
    assert common_coefficient([None, "text"]) == 1.0
