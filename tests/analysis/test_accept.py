from __future__ import annotations

import datetime
import re

import pytest
from compared import CASE, exact, report, row, times

from bench.analysis.accept import Accept, excuse, parse
from bench.analysis.change import Comparison
from bench.analysis.compare import compare, exit_status
from bench.errors import BenchError

TODAY = datetime.date(2026, 11, 21)
FAIL_ON = frozenset({"worse", "missing", "failed"})


def entry(**fields: str) -> str:
    known = {
        "case": '"conv/bias_before_bn[*]/bias@cpu"',
        "metric": '"time/*"',
        "change": '"+15%"',
        "owner": '"ada"',
        "reason": '"issue 12"',
        "expires": "2027-01-31",
        **fields,
    }
    return "[[accept]]\n" + "".join(f"{name} = {value}\n" for name, value in known.items() if value)


def the_entry(**fields: str) -> Accept:
    (accepted,) = parse(entry(**fields))
    return accepted


def slower(by: float = 1.1) -> Comparison:
    new = row(times(2e-3 * by, seed=3))
    return compare([report(row(times(seed=1))), report(new, name="new")])


def status(comparison: Comparison, *accepts: Accept, today: datetime.date = TODAY) -> int:
    return exit_status(excuse(comparison, accepts, today), FAIL_ON)


def test_a_change_within_what_was_accepted_is_excused_with_owner_and_reason() -> None:
    comparison = excuse(slower(), [the_entry()], TODAY)
    assert comparison.changes[0].state == "worse"
    assert comparison.changes[0].excused == "accepted: bench-accept.toml, line 1 (ada, until 2027-01-31: issue 12)"
    assert exit_status(comparison, FAIL_ON) == 0


def test_a_change_beyond_what_was_accepted_still_counts() -> None:
    assert status(slower(1.3), the_entry()) == 1


def test_a_change_measured_a_little_above_what_was_accepted_is_excused() -> None:
    comparison = slower(1.158)
    change = comparison.changes[0]
    assert change.ratio is not None
    assert change.low is not None
    assert change.low < 1.15 < change.ratio
    assert status(comparison, the_entry()) == 0


def test_an_expired_entry_counts_again_and_is_named() -> None:
    comparison = excuse(slower(), [the_entry(expires="2026-11-20")], TODAY)
    assert exit_status(comparison, FAIL_ON) == 1
    assert comparison.notes == (
        "bench-accept.toml, line 1 (ada, until 2026-11-20: issue 12) has expired: what it accepted counts again",
    )


def test_an_entry_holds_on_its_last_day() -> None:
    assert status(slower(), the_entry(expires="2026-11-21")) == 0


def test_an_entry_for_another_case_or_metric_accepts_nothing_and_is_named() -> None:
    for other in ({"case": '"conv/other[*]*"'}, {"metric": '"memory/*"'}):
        comparison = excuse(slower(), [the_entry(**other)], TODAY)
        assert exit_status(comparison, FAIL_ON) == 1
        assert "accepts nothing that was found" in comparison.notes[0]


def test_only_the_star_is_special_in_a_pattern() -> None:
    accepted = the_entry(case=f'"{CASE}"')
    assert status(slower(), accepted) == 0
    assert status(slower(), the_entry(case='"conv/bias_before_bn[c=1?,n=4]/bias@cpu"')) == 1


def test_a_vanished_case_can_be_accepted_by_its_state() -> None:
    gone = compare([report(row(times()), row(times(), case="s/b[]/x@cpu")), report(row(times()), name="new")])
    assert status(gone) == 5
    assert status(gone, the_entry(case='"s/*"', metric='"*"', change='"missing"')) == 0
    assert status(gone, the_entry(case='"s/*"', metric='"*"', change='"failed"')) == 5


def test_more_bytes_can_be_accepted() -> None:
    more = compare([report(exact(1000)), report(exact(1010), name="new")])
    assert status(more, the_entry(metric='"memory/*"', change='"+1%"')) == 0
    assert status(more, the_entry(metric='"memory/*"', change='"+0.9%"')) == 1


def test_for_a_metric_where_higher_is_better_the_loss_is_what_is_accepted() -> None:
    fields = {"metric": "speed", "unit": "1/s", "better": "higher"}
    lost = compare([report(row(times(2.0, seed=1), **fields)), report(row(times(1.8, seed=2), **fields), name="new")])
    assert status(lost) == 1
    assert status(lost, the_entry(metric='"speed"', change='"+15%"')) == 0
    assert status(lost, the_entry(metric='"speed"', change='"+5%"')) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (entry() + entry(owner=""), "bench-accept.toml, line 8: the entry has no owner; it needs case, metric,"),
        (entry(expires='"soon"'), "bench-accept.toml, line 1: expires must be a date such as 2027-01-31, not 'soon'"),
        (entry(expires="2027-01-31T10:00:00"), "expires must be a date such as 2027-01-31"),
        (entry(reason='""'), "reason must be a text in quotes, not ''"),
        (entry(case="3"), "case must be a text in quotes, not 3"),
        (entry(change='"5 percent"'), 'change must be a percentage such as "+5%" or one of worse, missing'),
        (entry(until='"x"'), "unknown field 'until'"),
        ("accept = 3\n", "write each entry under a line [[accept]]"),
        ("[[accept]\n", "bench-accept.toml, line 1: not TOML"),
        ("x = 1\n" + entry(), "and nothing else"),
    ],
)
def test_a_mistake_in_the_accept_file_is_told_with_its_line(text: str, message: str) -> None:
    with pytest.raises(BenchError, match=re.escape(message)) as error:
        parse(text)
    assert "\n" not in str(error.value)


def test_an_empty_accept_file_accepts_nothing() -> None:
    assert parse("# nothing yet\n") == ()
