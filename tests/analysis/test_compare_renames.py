from __future__ import annotations

from bench.analysis.renames import hints


def test_an_axis_that_was_added_is_hinted_with_the_number_of_cases() -> None:
    gone = [f"conv/b[c={c},n=4]/x@cpu" for c in (1, 2, 3)]
    come = [f"conv/b[c={c},dtype=bf16,n=4]/x@cpu" for c in (1, 2, 3, 4)]
    assert hints(gone, come) == ("3 cases differ only by +dtype",)
    assert hints(come, gone) == ("3 cases differ only by -dtype",)


def test_an_axis_with_another_name_and_the_same_value_is_hinted() -> None:
    assert hints(["s/b[size=4]/x@cpu"], ["s/b[n=4]/x@cpu"]) == ("1 case differs only by size -> n",)
    assert hints(["s/b[size=4]/x@cpu"], ["s/b[n=5]/x@cpu"]) == ()


def test_a_renamed_variant_benchmark_or_suite_is_hinted() -> None:
    assert hints(["s/b[n=4]/x@cpu"], ["s/b[n=4]/y@cpu"]) == ("1 case differs only by variant x -> y",)
    assert hints(["s/b[n=4]/x@cpu"], ["s/c[n=4]/x@cpu"]) == ("1 case differs only by benchmark b -> c",)
    assert hints(["s/b[n=4]/x@cpu"], ["t/u/b[n=4]/x@cpu"]) == ("1 case differs only by suite s -> t/u",)


def test_another_value_another_device_or_another_tool_is_no_rename() -> None:
    assert hints(["s/b[n=4]/x@cpu"], ["s/b[n=8]/x@cpu"]) == ()
    assert hints(["s/b[n=4]/x@cpu"], ["s/b[n=4]/x@cuda"]) == ()
    assert hints(["tests/test_x.py::test_y"], ["tests/test_x.py::test_z"]) == ()


def test_the_most_frequent_hint_comes_first() -> None:
    gone = ["s/b[n=1]/x@cpu", "s/b[n=2]/x@cpu", "s/c[n=1]/x@cpu"]
    come = ["s/b[d=f,n=1]/x@cpu", "s/b[d=f,n=2]/x@cpu", "s/d[n=1]/x@cpu"]
    assert hints(gone, come) == ("2 cases differ only by +d", "1 case differs only by benchmark c -> d")
