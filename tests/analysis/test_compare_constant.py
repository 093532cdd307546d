"""Process values, or ratios of processes measured side by side, that do not vary: no test, and no harm to others."""

from __future__ import annotations

import json
import math

import pytest
from compared import CASE, report, row, times

from bench.analysis.change import Comparison
from bench.analysis.compare import compare, exit_status
from bench.analysis.intervals import ProcessValue
from bench.report.comparison_formats import FORMS, render

OTHER = "conv/other[]/x@cpu"
BASE = times(seed=1)
FAIL_ON = frozenset({"worse"})


def with_constant_ratios(ratio: float) -> Comparison:
    """One case whose processes all gave the same ratio, beside one that is truly slower."""
    slower = row(times(2.2e-3, seed=3), case=OTHER)
    sides = [report(row(BASE), row(BASE, case=OTHER)), report(row([ratio * v for v in BASE]), slower, name="new")]
    return compare(sides, paired={(CASE, "time/forward"): [ProcessValue(math.log(ratio), variance=1e-4)] * len(BASE)})


@pytest.mark.parametrize("ratio", [1.0, 1.1, 1.25, 2.0])
def test_ratios_without_spread_are_unresolved_with_a_sentence_and_without_a_p(ratio: float) -> None:
    change = next(c for c in with_constant_ratios(ratio).changes if c.case == CASE)
    assert (change.state, change.p, change.fdr, change.low, change.high) == ("unresolved", None, None, None, None)
    assert change.reason.startswith("all processes gave the same value, to the last digit")
    assert change.ratio == pytest.approx(ratio)
    assert (change.base_processes, change.new_processes) == (12, 12)


@pytest.mark.parametrize("ratio", [1.0, 1.1, 2.0])
def test_ratios_without_spread_do_not_disarm_the_gate_for_the_others(ratio: float) -> None:
    comparison = with_constant_ratios(ratio)
    other = next(c for c in comparison.changes if c.case == OTHER)
    assert other.state == "worse"
    assert other.fdr == other.p  # one test was held, not two
    assert exit_status(comparison, FAIL_ON) == 1


@pytest.mark.parametrize("form", FORMS)
def test_every_form_tells_ratios_without_spread(form: str) -> None:
    text = render(with_constant_ratios(2.0), form, FAIL_ON)
    assert "NaN" not in text
    assert "the clock may be too coarse" in " ".join(text.split())
    if form == "json":
        assert json.loads(text)["exit_status"] == 1


def test_values_that_differ_by_rounding_alone_are_as_good_as_one_value() -> None:
    """Other floats, the same logarithms: neither side varies, though no side holds one value only."""
    base, new = [(value, math.nextafter(value, 1.0)) * 6 for value in (2e-3, 3e-3)]
    (change,) = compare([report(row(base)), report(row(new), name="new")]).changes
    assert (change.state, change.p) == ("unresolved", None)
