from __future__ import annotations

import dataclasses
from typing import Any

import pytest

import bench
from bench import Benchmark, Settings, Subject, SuiteError, benchmark, higher, large

AXES = {"n": [4], "c": [16, 64, large(256)]}


def declare(**changes: Any) -> Benchmark:
    arguments = {"variants": {"no_bias": False, "bias": True}, "cpu": AXES, **changes}

    @benchmark(**arguments)
    def bias_before_bn(bias: bool, n: int, c: int) -> Subject:
        """BatchNorm subtracts the mean,
        so the bias changes nothing.
        """
        return Subject(abs, n * c * bias)

    return bias_before_bn


def refusal(**changes: Any) -> str:
    with pytest.raises(SuiteError) as refused:
        declare(**changes)
    return str(refused.value)


def test_a_benchmark_is_named_like_its_function() -> None:
    assert declare().name == "bias_before_bn"


def test_the_first_variant_is_the_baseline() -> None:
    assert declare().baseline == "no_bias"
    assert declare(variants={"bias": True, "no_bias": False}).baseline == "bias"


def test_the_question_is_the_files_first_line_and_the_explanation_the_functions_text() -> None:
    assert declare().explanation == "BatchNorm subtracts the mean, so the bias changes nothing."
    assert declare().question == ""  # this file asks none


def test_the_decorated_function_still_builds() -> None:
    subject = declare().build(True, n=2, c=3)
    assert subject.call(*subject.inputs) == 6


@pytest.mark.parametrize(("tier", "channels"), [("smoke", [16]), ("standard", [16, 64]), ("large", [16, 64, 256])])
def test_a_tier_chooses_the_points(tier: Any, channels: list[int]) -> None:
    assert [dict(point)["c"] for point in declare().points("cpu", tier)] == channels


@pytest.mark.parametrize("tier", ["smoke", "standard"])
def test_every_tier_measures_a_benchmark_of_large_points_only(tier: Any) -> None:
    question = declare(cpu={"n": [4], "c": [large(256), large(512)]})
    assert [dict(point)["c"] for point in question.points("cpu", tier)] == [256]


def test_cuda_has_the_axes_of_the_cpu_unless_it_has_its_own() -> None:
    assert declare().points("cuda", "large") == declare().points("cpu", "large")
    assert declare(cuda={"n": [32], "c": [64]}).points("cuda", "large") == ((("c", 64), ("n", 32)),)


def test_an_axis_with_a_default_may_be_left_out_on_one_device() -> None:
    @benchmark(variants={"a": 1}, cpu={"n": [4]}, cuda={"n": [32], "dtype": ["bfloat16"]})
    def question(value: int, n: int, dtype: str = "float32") -> Subject:
        return Subject(abs, n)

    assert question.points("cpu", "smoke") == ((("n", 4),),)
    assert question.points("cuda", "smoke") == ((("dtype", "bfloat16"), ("n", 32)),)


def test_a_question_that_does_not_apply_has_no_cases_but_a_reason() -> None:
    question = declare(cpu="cuDNN needs a GPU", cuda=AXES)
    assert question.points("cpu", "large") == question.cases("conv", "cpu", "large") == ()
    assert question.skip_reason("cpu") == "cuDNN needs a GPU"
    assert question.skip_reason("cuda") == ""


def test_cases_come_group_by_group_with_the_baseline_first() -> None:
    assert [case.id for case in declare().cases("conv", "cpu", "standard")] == [
        "conv/bias_before_bn[c=16,n=4]/no_bias@cpu",
        "conv/bias_before_bn[c=16,n=4]/bias@cpu",
        "conv/bias_before_bn[c=64,n=4]/no_bias@cpu",
        "conv/bias_before_bn[c=64,n=4]/bias@cpu",
    ]


def test_only_settings_take_a_process_of_their_own() -> None:
    on = Settings(cudnn_benchmark=True)
    question = declare(variants={"off": False, "on": on})
    assert question.settings("on") is on
    assert question.settings("off") is None


def test_settings_leave_alone_what_they_do_not_name() -> None:
    fields = dataclasses.asdict(Settings())
    assert fields.pop("environment") == {}
    assert set(fields.values()) == {None}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"variants": {}},
            'bias_before_bn: variants must be a mapping with the baseline first: variants={"plain": …, "new": …}',
        ),
        (
            {"variants": ["a", "b"]},
            'bias_before_bn: variants must be a mapping with the baseline first: variants={"plain": …, "new": …}',
        ),
        (
            {"variants": {"a b": 1}},
            "bias_before_bn: variant name 'a b' must be of letters, digits and _ . + -",
        ),
        ({"variants": {1: 1}}, "bias_before_bn: variant name 1 must be of letters, digits and _ . + -"),
        ({"variants": {"=1": 1}}, "bias_before_bn: variant name '=1' must be of letters, digits and _ . + -"),
        ({"phases": "forward"}, "phases must be a list, even of one: write phases=[…]"),
        (
            {"phases": ["forwards"]},
            "bias_before_bn: unknown phase 'forwards', or twice: use any of forward, backward, inference",
        ),
        (
            {"phases": ["forward", "forward"]},
            "bias_before_bn: unknown phase 'forward', or twice: use any of forward, backward, inference",
        ),
        ({"claims": higher("time")}, "claims must be a list, even of one: write claims=[…]"),
        (
            {"claims": [higher("time", of="bais")]},
            'bias_before_bn: higher("time", of="bais") names an unknown variant; did you mean \'bias\'?',
        ),
        (
            {"bytes_needed": lambda bias, n: n},
            "bias_before_bn: bytes_needed must take what the build function takes: bias, n, c",
        ),
        (
            {"cuda": {"n": [1]}},
            (
                "bias_before_bn: cuda gives the axes ['n'], the build function takes ['c', 'n']: "
                "write def bias_before_bn(bias, n)"
            ),
        ),
        (
            {"variants": None},
            "@benchmark needs its arguments by name: write @benchmark(variants={…}, cpu={…})",
        ),
    ],
)
def test_a_declaration_that_is_amiss_says_what_to_write(changes: dict[str, Any], message: str) -> None:
    assert refusal(**changes) == message


def test_a_bare_decorator_is_told_what_it_lacks() -> None:
    with pytest.raises(SuiteError, match=r"write @benchmark\(variants=\{…\}, cpu=\{…\}\)"):

        @benchmark
        def question(value: int) -> Subject:
            return Subject(abs, value)


def test_a_nameless_function_is_no_benchmark() -> None:
    with pytest.raises(SuiteError, match=r"needs a name: write def my_question\(value, …\)"):
        benchmark(variants={"a": 1}, cpu={})(lambda value: Subject(abs, value))


def test_a_benchmark_without_axes_has_one_point() -> None:
    @benchmark(variants={"a": 1}, cpu={})
    def question(value: int) -> Subject:
        return Subject(abs, value)

    assert question.points("cpu", "smoke") == ((),)


def test_a_subject_must_be_callable() -> None:
    with pytest.raises(SuiteError, match=r"must be callable, got int: write Subject\(module_or_function, input, …\)"):
        Subject(1, abs)  # type: ignore[arg-type]


def test_authors_import_what_the_package_lists() -> None:
    assert list(bench.__all__) == sorted(bench.__all__)
    assert all(hasattr(bench, name) for name in bench.__all__)
