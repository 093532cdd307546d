from __future__ import annotations

import math
import re

import numpy as np
import pytest
from compared import CASE, FACTS, bits, exact, report, row, times

from bench.analysis.change import STATES, Change, Comparison
from bench.analysis.compare import STATUSES, compare, exit_status
from bench.analysis.gate import parse_fail_on
from bench.analysis.intervals import ProcessValue
from bench.analysis.judging import Rule
from bench.analysis.reported import Report, Row
from bench.errors import BenchError

BASE = times(2e-3, seed=1)
SAME = times(2e-3, seed=2)
SLOWER = times(2.2e-3, seed=3)
FAIL_ON = parse_fail_on("worse,missing,failed", STATUSES)


def changes(base: Report, new: Report, **options: object) -> tuple[Change, ...]:
    return compare([base, new], **options).changes  # type: ignore[arg-type]


def the_change(base: Row, new: Row, **options: object) -> Change:
    (change,) = changes(report(base), report(new, name="new"), **options)
    return change


def two(base: Row, new: Row) -> Comparison:
    return compare([report(base), report(new, name="new")])


def test_a_slower_time_is_worse_and_a_faster_one_better() -> None:
    worse, better = the_change(row(BASE), row(SLOWER)), the_change(row(SLOWER), row(BASE))
    assert (worse.state, better.state) == ("worse", "better")
    assert worse.ratio is not None
    assert worse.low is not None
    assert worse.high is not None
    assert 1.08 < worse.low < worse.ratio < worse.high < 1.12
    assert better.ratio == pytest.approx(1 / worse.ratio)


def test_for_a_metric_where_higher_is_better_more_is_better() -> None:
    fields = {"metric": "speed", "unit": "1/s", "better": "higher"}
    assert the_change(row(BASE, **fields), row(SLOWER, **fields)).state == "better"


def test_times_within_the_floor_are_the_same() -> None:
    change = the_change(row(BASE), row(SAME))
    assert change.state == "same"
    assert change.low is not None
    assert change.high is not None
    assert 0.98 < change.low < change.high < 1.02


def test_an_unresolved_change_says_how_many_processes_would_resolve_it() -> None:
    change = the_change(row(times(spread=0.05, seed=1)), row(times(2.12e-3, spread=0.05, seed=2)))
    assert change.state == "unresolved"
    assert change.reason.startswith("+")
    more = int(change.reason.split()[0])
    enough = 12 + more
    again = the_change(
        row(times(spread=0.05, seed=1, processes=enough)), row(times(2.12e-3, spread=0.05, seed=2, processes=enough))
    )
    assert 1 < more < 1000
    assert again.p is not None
    assert change.p is not None
    assert again.p < change.p


def test_a_change_on_the_floor_itself_is_said_to_be_beyond_resolving() -> None:
    values = times(spread=0.05, seed=1)
    change = the_change(row(values), row([v * 1.0201 for v in values]))
    assert change.state == "unresolved"
    assert "any number of processes" in change.reason


def test_few_processes_are_unresolved_with_the_number_that_lacks() -> None:
    change = the_change(row(BASE), row(SLOWER[:3]))
    assert change.state == "unresolved"
    assert change.reason == "3 process values in the new report, 5 are needed: +2 processes"
    assert change.ratio is not None
    assert change.low is None


def test_a_constant_series_gives_no_verdict() -> None:
    change = the_change(row([2e-3] * 12), row(SLOWER))
    assert (change.state, change.low) == ("unresolved", None)
    assert "same value" in change.reason


def test_a_value_of_zero_gives_no_verdict() -> None:
    change = the_change(row(BASE), row([*SLOWER[:-1], 0.0], value=2e-3))
    assert (change.state, change.low) == ("unresolved", None)
    assert "zero" in change.reason


def test_a_calibrated_floor_above_the_floor_asked_for_counts() -> None:
    calibrated = Rule(floors=lambda case, metric: 0.2 if (case, metric) == (CASE, "time/forward") else None)
    assert the_change(row(BASE), row(SLOWER), rule=calibrated).state == "same"
    assert the_change(row(BASE), row(SLOWER), rule=Rule(floor=0.2)).state == "same"
    assert the_change(row(BASE), row(SLOWER), rule=Rule(floors=lambda *_: 0.001)).state == "worse"


def test_bytes_are_compared_exactly() -> None:
    assert the_change(exact(1000), exact(1001)).state == "worse"
    assert the_change(exact(1001), exact(1000)).state == "better"
    assert the_change(exact(1000), exact(1000)).state == "same"


def test_other_work_is_told_but_not_called_worse() -> None:
    fields = {"metric": "work/macs(thop)", "unit": "MAC", "better": ""}
    change = the_change(exact(10, **fields), exact(12, **fields))
    assert change.state == "unresolved"
    assert "other work" in change.reason


def test_same_bits_and_other_time_are_said_in_words() -> None:
    time, hashes = changes(report(row(BASE), bits("aa")), report(row(SLOWER), bits("aa"), name="new"))
    assert (time.state, time.bits) == ("worse", "same bits")
    assert hashes.state == "same"


def test_other_bits_of_other_software_are_unresolved_and_of_the_same_software_worse() -> None:
    base, new = report(bits("aa")), report(bits("bb"), name="new")
    (same_software,) = changes(base, new)
    assert same_software.state == "worse"
    assert same_software.reason == "other bits, though nothing that is under test changed"
    (other_software,) = changes(base, report(bits("bb"), name="new", facts={**FACTS, "torch": ("2.11",)}))
    assert (other_software.state, other_software.bits) == ("unresolved", "other bits")


def test_other_bits_of_a_case_that_does_not_repeat_accuse_nobody() -> None:
    differs = row(metric="repeats/quick/output", unit="", better="", value="differs")
    found = changes(report(bits("aa"), differs), report(bits("bb"), differs, name="new"))
    assert {change.metric: change.state for change in found} == {
        "bits/output": "unresolved",
        "repeats/quick/output": "same",
    }


def test_a_case_that_stopped_repeating_is_worse() -> None:
    fields = {"metric": "repeats/quick/output", "unit": "", "better": ""}
    change = the_change(row(value="repeats", **fields), row(value="differs", **fields))
    assert (change.state, change.reason) == ("worse", "repeats -> differs")
    assert the_change(row(value="differs", **fields), row(value="repeats", **fields)).state == "better"
    assert the_change(row(value="repeats", **fields), row(value="mutates", **fields)).state == "worse"
    assert the_change(row(value="repeats", **fields), row(value="random", **fields)).state == "unresolved"


def test_determinism_that_only_one_report_checked_is_not_missing() -> None:
    checked = report(row(BASE), row(metric="repeats/quick/output", value="repeats", unit="", better=""))
    (change,) = changes(checked, report(row(SAME), name="new"))
    assert (change.metric, change.state) == ("time/forward", "same")


def test_a_vanished_case_is_missing_once_and_a_new_one_is_new_once() -> None:
    gone = "conv/a[n=1]/x@cpu"
    come = "conv/b[n=2]/y@cpu"
    base = report(row(BASE), row(BASE, case=gone), exact(1, case=gone))
    new = report(row(SAME), row(BASE, case=come), exact(1, case=come), name="new")
    assert [(c.case, c.metric, c.state) for c in changes(base, new)] == [
        (gone, "", "missing"),
        (come, "", "new"),
        (CASE, "time/forward", "same"),
    ]


def test_a_vanished_metric_is_missing() -> None:
    found = changes(report(row(BASE), exact(1)), report(row(SAME), name="new"))
    assert [(c.metric, c.state) for c in found] == [("memory/peak/forward", "missing"), ("time/forward", "same")]


def test_a_case_of_the_plan_without_a_result_is_missing() -> None:
    (change, _) = changes(report(row(BASE)), report(row(SAME), name="new", planned=(CASE, "conv/z[]/x@cpu")))
    assert (change.case, change.state) == ("conv/z[]/x@cpu", "missing")


def test_an_unfinished_report_is_missing_something_even_when_every_case_is_there() -> None:
    new = report(row(SAME), name="new", unfinished="the run ended early, with 1 of 1 cases")
    comparison = compare([report(row(BASE)), new])
    assert (comparison.changes[0].case, comparison.changes[0].state) == ("", "missing")
    assert exit_status(comparison, FAIL_ON) == 5


def test_an_unfinished_base_is_noted() -> None:
    comparison = compare([report(row(BASE), unfinished="the run ended early"), report(row(SAME), name="new")])
    assert any("base is not finished" in note for note in comparison.pairs[0].notes)


@pytest.mark.parametrize("status", ["failed", "oom", "timeout"])
def test_a_newly_failing_case_is_failed_with_its_reason(status: str) -> None:
    broken = row(status=status, reason="it broke", value=None)
    found = changes(report(row(BASE), exact(1)), report(broken, name="new"))
    assert [(c.metric, c.state, c.reason) for c in found] == [("time/forward", "failed", f"{status}: it broke")]


def test_a_case_that_failed_before_does_not_count_again() -> None:
    broken = row(status="failed", reason="it broke", value=None)
    comparison = two(broken, broken)
    assert comparison.changes[0].excused == "it had no result in the base either"
    assert exit_status(comparison, FAIL_ON) == 0


def test_a_new_case_that_fails_is_failed() -> None:
    broken = row(status="failed", reason="it broke", value=None, case="conv/z[]/x@cpu")
    comparison = compare([report(row(BASE)), report(row(SAME), broken, name="new")])
    assert comparison.changes[0].state == "failed"
    assert exit_status(comparison, FAIL_ON) == 5


def test_a_case_that_works_again_is_new() -> None:
    change = the_change(row(status="oom", reason="2 GiB", value=None), row(BASE))
    assert (change.state, change.reason) == ("new", "the base has no number (oom: 2 GiB)")


def test_skipped_and_invalid_are_said_with_their_reason() -> None:
    assert the_change(row(BASE), row(status="skipped", reason="needs a GPU", value=None)).state == "skipped"
    assert the_change(row(BASE), row(status="invalid", reason="noise", value=None)).reason == "invalid: noise"
    assert the_change(row(status="invalid", reason="noise", value=None), row(BASE)).state == "invalid"


def test_a_benchmark_whose_source_changed_is_incomparable_unless_allowed() -> None:
    change = the_change(row(BASE), row(SLOWER, version="v2"))
    assert (change.state, change.metric) == ("incomparable", "")
    assert change.reason == "the source of the benchmark changed (v1 and v2): --allow-diff version"
    assert the_change(row(BASE), row(SLOWER, version="v2"), allow=["version"]).state == "worse"


def test_another_machine_is_incomparable_unless_allowed() -> None:
    base, new = report(row(BASE)), report(row(SLOWER), name="new", facts={**FACTS, "cpu": ("Other CPU",)})
    comparison = compare([base, new])
    assert (comparison.changes[0].state, comparison.changes[0].reason) == ("incomparable", "another CPU")
    assert exit_status(comparison, parse_fail_on("none", STATUSES)) == 4
    assert compare([base, new], allow=["cpu"]).changes[0].state == "worse"


def test_adjusted_times_decide_when_the_metronomes_are_the_same() -> None:
    noisy, shifted = row(times(2e-3, spread=0.2, seed=1)), row(times(2.2e-3, spread=0.2, seed=2))
    adjusted = {"metric": "time/forward/adjusted"}
    base = report(noisy, row(BASE, **adjusted))
    new = report(shifted, row(SLOWER, **adjusted), name="new")
    (change,) = changes(base, new)
    assert (change.state, change.adjusted) == ("worse", True)
    assert change.raw_ratio == pytest.approx(shifted.value / noisy.value)  # type: ignore[operator]
    (raw,) = changes(base, report(shifted, row(SLOWER, **adjusted), name="new", facts={**FACTS, "metronome": ("m2",)}))
    assert (raw.state, raw.adjusted) == ("unresolved", False)


def beside(values: tuple[float, ...], beat: float, name: str = "base", **more: Row) -> Report:
    """Times of a machine whose metronomes took ``beat`` times their nominal time."""
    adjusted = row([v / beat for v in values], metric="time/forward/adjusted")
    return report(row(values), adjusted, *more.values(), name=name)


def test_a_machine_that_moved_leaves_a_change_of_its_size_unresolved() -> None:
    """10 % remain after adjusting for a machine that was 8 % slower: as much as the machine may have done itself."""
    moved = [v * 1.08 for v in SLOWER]
    comparison = compare([beside(BASE, 1.0), beside(tuple(moved), 1.08, "new")])
    (change,) = comparison.changes
    assert (change.state, change.adjusted) == ("unresolved", True)
    assert change.reason == "the machine was 8.0 % slower beside it: no change below 12 % is told"
    assert change.machine == pytest.approx(1.08)
    assert comparison.pairs[0].notes[0].startswith("the machine itself was 8.0 % slower while new was measured")
    steady = compare([beside(BASE, 1.0), beside(SLOWER, 1.0, "new")])
    assert steady.changes[0].state == "worse"
    assert not any("machine itself" in note for note in steady.pairs[0].notes)


def test_a_change_far_beyond_what_the_machine_did_is_still_told() -> None:
    twice = tuple(2 * v for v in SLOWER)
    assert compare([beside(BASE, 1.0), beside(twice, 1.08, "new")]).changes[0].state == "worse"


def test_a_machine_that_was_faster_counts_as_much() -> None:
    faster = tuple(v / 1.2 for v in BASE)
    (change,) = compare([beside(BASE, 1.0), beside(faster, 1 / 1.08, "new")]).changes
    assert (change.state, change.reason.split(":")[0]) == ("unresolved", "the machine was 8.0 % faster beside it")


def test_a_machine_that_moved_makes_nothing_the_same_that_is_not() -> None:
    """The interval must lie within the floor that was asked for, not within what the machine may have done."""
    shifted = tuple(v * 1.05 * 1.08 for v in SAME)
    assert compare([beside(BASE, 1.0), beside(shifted, 1.08, "new")]).changes[0].state == "unresolved"
    alike = tuple(v * 1.08 for v in SAME)
    assert compare([beside(BASE, 1.0), beside(alike, 1.08, "new")]).changes[0].state == "same"


def in_calm(values: tuple[float, ...], name: str = "base", *, pace: float = 1.0, calm: int = 12) -> Report:
    """Noisy times, and the precise ones of so many processes that met calm rounds."""
    rows = [row([v * 1.5 ** (i % 2) for i, v in enumerate(values)])]
    rows.append(row([v * 1.2 ** (i % 2) for i, v in enumerate(values)], metric="time/forward/adjusted"))
    rows.append(row(values[:calm], metric="time/forward/calm"))
    if calm >= 5:
        rows.append(row([v / pace for v in values[:calm]], metric="time/forward/calm_adjusted"))
    return report(*rows, name=name)


@pytest.mark.parametrize(("calm", "state"), [(5, "unresolved"), (6, "worse")])
def test_a_coefficient_is_relied_on_where_a_quarter_of_the_processes_were_calm(calm: int, state: str) -> None:
    """Beside clocks that moved by 10 % a change by 8 % is one of the code, or nobody knows."""
    before = tuple(v * (1 + 0.001 * i) for i in range(2) for v in BASE)

    def side(values: tuple[float, ...], name: str, pace: float) -> Report:
        coefficient = row((), metric="coefficient/forward", value=0.0)
        rows = in_calm(values, name, pace=pace, calm=calm).rows[CASE].values()
        return report(*rows, coefficient, name=name)

    (change,) = compare([side(before, "base", 1.0), side(tuple(v * 1.08 for v in before), "new", 1.1)]).changes
    assert (change.state, change.base_processes) == (state, calm)


def replace_raw(of: Report, values: tuple[float, ...]) -> Report:
    """The same report with raw times that lie close together."""
    rows = [each for each in of.rows[CASE].values() if each.metric != "time/forward"]
    return report(row(values), *rows, name=of.name)


def test_the_times_of_calm_rounds_decide_where_both_reports_have_them() -> None:
    (change,) = compare([in_calm(BASE), in_calm(SLOWER, "new")]).changes
    assert (change.state, change.adjusted, change.machine) == ("worse", True, pytest.approx(1.0))
    assert change.ratio == pytest.approx(row(SLOWER).value / row(BASE).value)  # type: ignore[operator]
    (moved,) = compare([in_calm(BASE), in_calm(tuple(v * 1.08 for v in SLOWER), "new", pace=1.08)]).changes
    assert (moved.state, moved.machine) == ("unresolved", pytest.approx(1.08))


@pytest.mark.parametrize("calm", [1, 4])
def test_a_machine_that_was_hardly_ever_calm_leaves_everything_small_unresolved(calm: int) -> None:
    for pair in (
        [in_calm(BASE), in_calm(SLOWER, "new", calm=calm)],
        [in_calm(BASE, calm=calm), in_calm(SLOWER, "new")],
    ):
        (change,) = compare(pair, rule=Rule(floors=lambda _case, _metric: 0.0)).changes  # calibrated, so no luck counts
        assert change.state == "unresolved"
        assert change.reason == "the machine was hardly ever calm: no change below 20 % is told"
    quiet = [
        replace_raw(r, values) for r, values in ((in_calm(BASE), BASE), (in_calm(SLOWER, "new", calm=calm), SLOWER))
    ]
    assert "calm" not in compare(quiet).changes[0].reason
    twice = tuple(2 * v for v in BASE)
    assert compare([in_calm(BASE), in_calm(twice, "new", calm=calm)]).changes[0].state == "worse"


def test_runs_may_differ_as_their_processes_do_until_a_calibration_says_how_much() -> None:
    spread = {"spread": 0.05, "processes": 40}
    base = beside(times(**spread), 1.0)
    new = beside(times(2.14e-3, seed=1, **spread), 1.0, "new")
    (change,) = compare([base, new]).changes
    told = re.match(r"processes differ so much that no change below (.*) % is told; bench calibrate", change.reason)
    assert change.state == "unresolved"
    assert told
    assert float(told[1]) == pytest.approx(12.5, abs=1)
    (change,) = compare([base, new], rule=Rule(floors=lambda _case, _metric: 0.01)).changes
    assert change.state == "worse"
    assert compare([base, beside(times(2.6e-3, seed=1, **spread), 1.0, "new")]).changes[0].state == "worse"


def test_what_was_measured_side_by_side_needs_no_calm() -> None:
    reports = [in_calm(BASE), in_calm(SLOWER, "new", calm=1)]
    ratios = [ProcessValue(math.log(new / base)) for base, new in zip(BASE, SLOWER, strict=True)]
    (change,) = compare(reports, paired={(CASE, "time/forward"): ratios}).changes
    assert (change.state, change.adjusted) == ("worse", False)


def test_side_by_side_disturbed_processes_hide_no_change() -> None:
    logs = np.array([0.05] * 8 + [0.25, -0.2, 0.3, -0.2]) + 0.002 * np.random.default_rng(0).normal(size=12)

    def state(variances: list[float]) -> str:
        ratios = [ProcessValue(*pair) for pair in zip(logs.tolist(), variances, strict=True)]
        sides = [report(row(BASE)), report(row(SLOWER), name="new")]
        return compare(sides, paired={(CASE, "time/forward"): ratios}).changes[0].state

    assert state([0.0] * 12) == "unresolved"
    assert state([1e-6] * 8 + [1e-2] * 4) == "worse"


def test_times_without_metronomes_beside_them_take_the_pace_of_the_others() -> None:
    first = {"metric": "first_call/forward"}
    base = beside(BASE, 1.0, first=row(BASE, **first))
    new = beside(tuple(v * 1.08 for v in BASE), 1.08, "new", first=row(SLOWER, **first))
    found = {change.metric: change for change in changes(base, new)}
    assert found["first_call/forward"].state == "unresolved"
    assert found["first_call/forward"].machine == pytest.approx(1.08)


def test_adjusted_times_of_unknown_metronomes_are_not_used_and_that_is_said() -> None:
    sides = [report(row(BASE), row(BASE, metric="time/forward/adjusted"), facts={"cpu": ("x",)}) for _ in range(2)]
    comparison = compare(sides)
    assert not comparison.changes[0].adjusted
    assert any("raw times were compared" in note for note in comparison.pairs[0].notes)


@pytest.mark.parametrize(
    ("metric", "unit", "better"),
    [("rate/flops/forward", "FLOP/s", "higher"), ("memory/rss", "B", "lower"), ("memory/nvml", "B", "lower")],
)
def test_rates_and_memory_taken_once_have_no_verdict_of_their_own(metric: str, unit: str, better: str) -> None:
    rate = {"metric": metric, "unit": unit, "better": better}
    found = changes(report(row(BASE), row(BASE, **rate)), report(row(SLOWER), row(BASE, **rate), name="new"))
    assert [c.metric for c in found] == ["time/forward"]


def test_what_another_tool_does_not_say_leaves_every_difference_unresolved() -> None:
    foreign = report(row(BASE), unknown="one process only")
    (change,) = changes(foreign, report(row(SLOWER), name="new"))
    assert (change.state, change.reason) == ("unresolved", "one process only")
    assert change.ratio == pytest.approx(1.1, rel=0.02)


def test_a_unit_that_differs_is_refused_with_both_places() -> None:
    ours, theirs = row(BASE, metric="speed"), row(BASE, metric="speed", unit="ms", line=7)
    with pytest.raises(
        BenchError, match=r"new\.csv, line 7, column unit: .* is in 'ms', but in 's' in base\.csv, line 2"
    ):
        changes(report(ours), report(theirs, name="new"))


def test_changes_are_ordered_by_evidence() -> None:
    names = [f"conv/a[n={n}]/x@cpu" for n in range(4)]
    base = report(*(row(BASE, case=name) for name in names))
    new = report(
        row(SAME, case=names[0]),
        row(times(2.1e-3, seed=4), case=names[1]),
        row(times(2.6e-3, seed=5), case=names[2]),
        row(times(1.5e-3, seed=6), case=names[3]),
        name="new",
    )
    assert [c.case for c in changes(base, new)] == [names[2], names[1], names[3], names[0]]


def test_three_reports_are_compared_with_the_first_and_step_to_step() -> None:
    sides = [
        report(row(values), name=name) for name, values in [("a", BASE), ("b", SLOWER), ("c", times(2.2e-3, seed=9))]
    ]
    comparison = compare(sides)
    assert [(p.base, p.new, p.changes[0].state) for p in comparison.pairs] == [("a", "b", "worse"), ("a", "c", "worse")]
    assert [(p.base, p.new, p.changes[0].state) for p in comparison.steps] == [("a", "b", "worse"), ("b", "c", "same")]


def test_two_reports_have_no_steps() -> None:
    assert two(row(BASE), row(SAME)).steps == ()


def test_one_report_is_refused() -> None:
    with pytest.raises(BenchError, match="two reports"):
        compare([report(row(BASE))])


def test_more_questions_make_an_alarm_harder() -> None:
    """A change that alone is an alarm is none among a thousand questions."""
    suspect = times(2.12e-3, spread=0.02, seed=12)
    base, new = row(times(spread=0.02, seed=11)), row(suspect)
    others = [f"conv/a[n={n}]/x@cpu" for n in range(1000)]
    alone = the_change(base, new)
    crowd = changes(
        report(base, *(row(times(seed=2 * n), case=name) for n, name in enumerate(others))),
        report(new, *(row(times(seed=2 * n + 1), case=name) for n, name in enumerate(others)), name="new"),
    )
    among = next(change for change in crowd if change.case == CASE)
    assert (alone.state, among.state) == ("worse", "unresolved")
    assert alone.p == among.p


def change_of(state: str, excused: str = "") -> Comparison:
    pair = compare([report(row(BASE)), report(row(SAME), name="new")]).pairs[0]
    found = Change(case=CASE, state=state, excused=excused)  # type: ignore[arg-type]
    return Comparison(
        pairs=(type(pair)(base="base", new="new", changes=(found,)),), floor=0.02, fdr=0.01, confidence=0.95
    )


@pytest.mark.parametrize(
    ("state", "default", "named"),
    [
        ("worse", 1, 1),
        ("missing", 5, 5),
        ("failed", 5, 5),
        ("skipped", 0, 5),
        ("incomparable", 4, 4),
        ("invalid", 6, 6),
        ("unresolved", 0, 3),
        ("better", 0, 0),
        ("new", 0, 0),
        ("same", 0, 0),
    ],
)
def test_every_state_has_its_exit_status(state: str, default: int, named: int) -> None:
    assert state in STATES
    assert exit_status(change_of(state), FAIL_ON) == default
    if state in STATUSES:
        assert exit_status(change_of(state), parse_fail_on(state, STATUSES)) == named
    assert exit_status(change_of(state, excused="accepted"), parse_fail_on(",".join(STATUSES), STATUSES)) == 0


def test_the_gravest_of_several_statuses_is_the_one_returned() -> None:
    every = parse_fail_on(",".join(STATUSES), STATUSES)
    order = ["incomparable", "worse", "missing", "invalid", "unresolved"]
    parts = [change_of(state) for state in order]
    for first in range(len(order)):
        changes = tuple(p.pairs[0] for p in parts[first:])
        joined = Comparison(pairs=changes, floor=0.02, fdr=0.01, confidence=0.95)
        assert exit_status(joined, every) == STATUSES[order[first]]  # type: ignore[index]
