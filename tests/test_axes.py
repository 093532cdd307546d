from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.axes import check_axes, large, marked_points
from bench.errors import SuiteError
from bench.model import make_point


def question(value: object, n: int, c: int) -> None:
    """A build function of two axes."""


def test_axes_span_their_product() -> None:
    points = [point for point, _ in marked_points({"n": [1, 2], "c": [8, 16]})]
    assert points == [make_point({"n": n, "c": c}) for n, c in itertools.product([1, 2], [8, 16])]


def test_points_may_be_listed_one_by_one() -> None:
    rows = [{"n": 1, "c": 64}, {"n": 8, "c": 3}]
    assert marked_points(rows) == [(make_point(row), False) for row in rows]


def test_a_reason_in_place_of_axes_gives_no_points() -> None:
    assert marked_points("needs cuDNN") == []


def test_a_point_is_large_when_any_of_its_values_is() -> None:
    marks = dict(marked_points({"n": [1, large(2)], "c": [8]}))
    assert marks == {make_point({"n": 1, "c": 8}): False, make_point({"n": 2, "c": 8}): True}


def test_a_listed_point_is_marked_large_as_a_whole() -> None:
    assert marked_points([large({"n": 1})]) == [(make_point({"n": 1}), True)]


@pytest.mark.parametrize(
    "axes",
    [
        "needs cuDNN",
        {"n": [1], "c": [8, 16]},
        {"n": [1, large(2)], "c": (8,)},
        [{"n": 1, "c": 8}, large({"c": 64, "n": 32})],
        {"n": ["relu", None, True, 0.5, -1], "c": [1]},
    ],
)
def test_axes_that_the_build_function_takes_are_accepted(axes: Any) -> None:
    check_axes("question", "cpu", axes, question)


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        (" ", 'question: cpu="" must say why the question does not apply there'),
        ({"n": 4, "c": [1]}, "question: cpu axis 'n' must be a list of values: n=[…]"),
        ({"n": "4", "c": [1]}, "question: cpu axis 'n' must be a list of values: n=[…]"),
        ({"n": [], "c": [1]}, "question: cpu axis 'n' must be a list of values: n=[…]"),
        ({"n": large([1]), "c": [1]}, "question: cpu axis 'n' must be a list of values: n=[…]"),
        (5, 'question: cpu must be {"axis": [values]} or a list of points [{"axis": value}, …]'),
        ([], 'question: cpu must be {"axis": [values]} or a list of points [{"axis": value}, …]'),
        ([1, 2], 'question: cpu must be {"axis": [values]} or a list of points [{"axis": value}, …]'),
        (
            {"n": [1], "channels": [1]},
            (
                "question: cpu gives the axes ['channels', 'n'], the build function takes ['c', 'n']: "
                "write def question(value, channels, n)"
            ),
        ),
        (
            [{"n": 1, "c": 1}, {"n": 1}],
            "question: cpu gives the axes ['n'], the build function takes ['c', 'n']: write def question(value, n)",
        ),
        (
            {"n": [(1, 2)], "c": [1]},
            (
                "question: cpu axis 'n' has the value (1, 2): use a number or a short name, "
                "and look objects up by it in the build function"
            ),
        ),
        (
            {"n": ["a b"], "c": [1]},
            "question: cpu axis value 'a b' must be of letters, digits and _ . + -",
        ),
        ({"n": [4, 4], "c": [1]}, "question: cpu names the point [c=1,n=4] twice: keep one"),
        ({"n": [1, "1"], "c": [1]}, "question: cpu names the point [c=1,n=1] twice: keep one"),
        ({"n": [True, "true"], "c": [1]}, "question: cpu names the point [c=1,n=true] twice: keep one"),
        ({"n": [1, large(1)], "c": [1]}, "question: cpu names the point [c=1,n=1] twice: keep one"),
    ],
)
def test_axes_that_are_amiss_are_refused_with_what_to_write(axes: Any, message: str) -> None:
    with pytest.raises(SuiteError) as refused:
        check_axes("question", "cpu", axes, question)
    assert str(refused.value) == message


def test_a_build_function_without_parameters_is_told_what_comes_first() -> None:
    with pytest.raises(SuiteError, match=r"takes the variant's value first: write def lonely\(value, …\)"):
        check_axes("lonely", "cpu", {}, lambda: None)


words = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.+\-]{0,6}", fullmatch=True)
values = st.lists(st.integers(-9, 9) | st.booleans() | st.none() | st.floats(-1, 1) | words, min_size=1, max_size=4)


@given(values, values)
def test_what_is_accepted_has_one_name_per_point(ns: list[Any], cs: list[Any]) -> None:
    axes = {"n": ns, "c": cs}
    try:
        check_axes("question", "cpu", axes, question)
    except SuiteError as refused:
        assert "twice" in str(refused)  # noqa: PT017
    else:
        assert len({str(point) for point, _ in marked_points(axes)}) == len(ns) * len(cs)
