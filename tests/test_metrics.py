from __future__ import annotations

import pytest

from bench.errors import BenchError
from bench.metrics import PHASES, TIME_SIBLINGS, covers, kind, metric


@pytest.mark.parametrize(
    ("name", "unit", "better", "exact"),
    [
        ("time/forward", "s", "lower", False),
        ("time/backward/hot", "s", "lower", False),
        ("first_call/forward", "s", "lower", False),
        ("memory/parameters", "B", "lower", True),
        ("memory/peak/forward", "B", "lower", True),
        ("memory/rss", "B", "lower", False),
        ("work/macs(thop)", "MAC", "", True),
        ("rate/flops/forward", "FLOP/s", "higher", False),
        ("output", "", "", True),
    ],
)
def test_a_metric_knows_its_unit_and_which_way_is_better(name: str, unit: str, better: str, exact: bool) -> None:
    found = metric(name)
    assert (found.name, found.unit, found.better, found.exact) == (name, unit, better, exact)


def test_the_kind_of_a_metric_is_its_longest_known_beginning() -> None:
    assert kind("memory/peak/forward") == "memory/peak"


def test_a_name_that_merely_begins_alike_is_unknown() -> None:
    with pytest.raises(BenchError, match="unknown metric 'timeout'"):
        kind("timeout")


def test_a_misspelt_metric_is_put_right() -> None:
    with pytest.raises(BenchError, match=r"^unknown metric 'memory/paek'; did you mean 'memory/peak'\?$"):
        kind("memory/paek")


def test_a_metric_like_no_other_is_answered_with_what_there_is() -> None:
    with pytest.raises(BenchError, match="the kinds are bits, coefficient, first_call, gradient"):
        kind("zzzzzzz")


@pytest.mark.parametrize("phase", PHASES)
def test_a_claim_on_time_speaks_of_every_phase(phase: str) -> None:
    assert covers("time", f"time/{phase}")


@pytest.mark.parametrize("sibling", TIME_SIBLINGS)
def test_a_claim_on_time_leaves_siblings_to_claims_that_name_them(sibling: str) -> None:
    assert not covers("time", f"time/forward/{sibling}")
    assert not covers("time/forward", f"time/forward/{sibling}")
    assert covers(f"time/forward/{sibling}", f"time/forward/{sibling}")


@pytest.mark.parametrize(
    ("claimed", "name"),
    [("time/forward", "time/backward"), ("memory/peak", "memory/parameters"), ("time", "first_call/forward")],
)
def test_a_claim_does_not_speak_of_another_metric(claimed: str, name: str) -> None:
    assert not covers(claimed, name)


@pytest.mark.parametrize("name", ["memory/parameters", "output", "work/flops(torch)"])
def test_a_claim_speaks_of_the_metric_it_names(name: str) -> None:
    assert covers(name, name)
