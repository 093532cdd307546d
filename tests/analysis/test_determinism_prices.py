from __future__ import annotations

import pytest
from builders import case, record

from bench.analysis.determinism import Turned, knob_matrix, prices
from bench.analysis.determinism_words import rate_bound, shown, worst
from bench.model import Check, Record

CELLS = ("default", "on", "threads=1")


def check(what: str = "output", verdict: str = "repeats", **fields: object) -> Check:
    return Check(what=what, level="full", verdict=verdict, **fields)  # type: ignore[arg-type]


def checked(knobs: str, *checks: Check, variant: str = "bias", **fields: object) -> Record:
    return record(variant, process=0, knobs=knobs, checks=checks, **fields)


def timed(knobs: str, seconds: float, *, variant: str = "bias", processes: int = 5) -> list[Record]:
    """So many processes whose times scatter a little, alike in every cell."""
    return [
        record(variant, [seconds * (1 + 0.001 * ((7 * p + r) % 5)) for r in range(4)], process=p, knobs=knobs)
        for p in range(1, processes + 1)
    ]


def row(matrix: tuple[Turned, ...], knobs: str) -> Turned:
    return next(turned for turned in matrix if turned.knobs == knobs)


def test_a_cell_is_priced_against_the_default_of_the_same_case() -> None:
    seconds = {"bias": (1.0, 1.5, 4.0), "no_bias": (10.0, 10.0, 5.0)}
    records = [
        r
        for variant, of_cells in seconds.items()
        for cell, of in zip(CELLS, of_cells, strict=True)
        for r in timed(cell, of, variant=variant)
    ]
    matrix = knob_matrix(records)
    found = {(t.case.variant, t.knobs): t.prices["forward"].ratio for t in matrix}
    assert found == {
        ("bias", "on"): pytest.approx(1.5),
        ("bias", "threads=1"): pytest.approx(4.0),
        ("no_bias", "on"): pytest.approx(1.0),
        ("no_bias", "threads=1"): pytest.approx(0.5),
    }
    price = row(matrix, "on").prices["forward"]
    assert price.ratio_low is not None
    assert price.ratio_low <= 1.5 <= (price.ratio_high or 0)
    assert price.case == case("bias")


def test_too_few_processes_give_no_interval_and_no_price() -> None:
    matrix = knob_matrix([*timed("default", 1.0, processes=4), *timed("on", 2.0, processes=4)])
    (price,) = prices(matrix)
    assert price.ratios == ()
    assert (price.middle, price.dearest) == (None, None)


def test_the_default_is_no_row() -> None:
    assert knob_matrix([checked("default", check())]) == ()


def test_a_cell_that_raised_says_why() -> None:
    (turned,) = knob_matrix([checked("on", status="failed", reason="RuntimeError: no")])
    assert turned.reason == "RuntimeError: no"
    (price,) = prices([turned])
    assert (price.cases, price.worked) == (1, 0)


def test_a_cell_says_how_many_cases_repeat_and_have_the_bits_of_the_default() -> None:
    turned = knob_matrix(
        [
            checked("on", check(ulp=0.0, relative=0.0), variant="a"),
            checked("on", check(ulp=2.0, relative=1e-7), variant="b"),
            checked("on", check(ulp=1.0, relative=0.0), variant="c"),  # -0.0 against 0.0
            checked("on", check(verdict="differs", differing=1, ulp=0.0, relative=0.0), variant="d"),
            checked("on", check(), check("output/processes", "differs", differing=1), variant="e"),
        ]
    )
    (price,) = prices(turned)
    assert (price.worked, price.differing, price.other_bits, price.furthest) == (5, 2, 2, 1e-7)


def test_what_another_process_says_is_no_distance_from_the_default() -> None:
    (turned,) = knob_matrix([checked("on", check(relative=0.5), check("output/processes", "differs", relative=9.0))])
    assert turned.distance == 0.5


def test_the_middle_of_ratios_is_geometric_and_the_dearest_is_named() -> None:
    records = [
        *timed("default", 1.0, variant="a"),
        *timed("on", 2.0, variant="a"),
        *timed("default", 1.0, variant="b"),
        *timed("on", 0.5, variant="b"),
    ]
    (price,) = prices(knob_matrix(records))
    assert price.middle == pytest.approx(1.0)
    assert price.dearest is not None
    assert price.dearest.case.variant == "a"


def test_cells_stay_in_the_order_in_which_they_were_turned() -> None:
    records = [checked(knobs, check()) for knobs in ("z", "a", "m")]
    assert [price.knobs for price in prices(knob_matrix(records))] == ["z", "a", "m"]


@pytest.mark.parametrize(
    ("repeats", "differing", "sentence"),
    [
        (20, 0, "0 of 20 repeats differed: fewer than 14 % differ, at 95 %"),
        (1, 0, "0 of 1 repeat differed: fewer than 95 % differ, at 95 %"),
        (20, 3, "3 of 20 repeats differed"),
        (0, 0, "0 of 0 repeats differed"),
    ],
)
def test_repeats_bound_a_rate_and_prove_nothing(repeats: int, differing: int, sentence: str) -> None:
    assert shown(repeats, differing) == sentence


@pytest.mark.parametrize("repeats", [1, 5, 20, 1000])
def test_a_rate_at_the_bound_would_have_shown_none_one_time_in_twenty(repeats: int) -> None:
    assert (1 - rate_bound(repeats)) ** repeats == pytest.approx(0.05)


def test_the_worst_verdict_stands_for_several() -> None:
    assert worst("repeats", "random", "repeats") == "random"
    assert worst("random", "mutates") == "mutates"
    assert worst("mutates", "differs") == "differs"
