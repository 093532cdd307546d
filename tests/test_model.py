from __future__ import annotations

import dataclasses
import random

import pytest
from builders import case, environment
from hypothesis import given
from hypothesis import strategies as st

import bench.model
from bench.model import Case, Claim, Environment, make_point

names = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.+\-]{0,8}", fullmatch=True)
axes = st.from_regex(r"[a-z_][a-z0-9_]{0,5}", fullmatch=True)
numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
points = st.dictionaries(axes, numbers | names, max_size=4)


def test_a_case_is_named_by_suite_question_point_variant_and_device() -> None:
    assert case("bias", point={"n": 4, "hw": 32, "c": 64}).id == "conv/bias_before_bn[c=64,hw=32,n=4]/bias@cpu"


def test_a_group_is_named_like_its_cases_without_the_variant() -> None:
    assert case("bias").group == case("no_bias").group == "conv/bias_before_bn[c=16,n=4]@cpu"


def test_a_case_without_axes_has_an_empty_point() -> None:
    assert case(point={}).id == "conv/bias_before_bn[]/bias@cpu"


def test_switches_and_nothing_are_written_as_words() -> None:
    assert case(point={"a": True, "b": False, "c": None}).id == "conv/bias_before_bn[a=true,b=false,c=none]/bias@cpu"


@given(points, st.randoms(use_true_random=False))
def test_the_order_in_which_axes_are_written_does_not_matter(point: dict[str, int], rng: random.Random) -> None:
    shuffled = list(point.items())
    rng.shuffle(shuffled)
    assert case(point=dict(shuffled)).id == case(point=point).id


@given(st.tuples(names, names, points), st.tuples(names, names, points))
def test_different_cases_have_different_names(
    one: tuple[str, str, dict[str, int]], other: tuple[str, str, dict[str, int]]
) -> None:
    a, b = (case(v, benchmark=q, point={k: str(x) for k, x in p.items()}) for v, q, p in (one, other))
    assert (a == b) == (a.id == b.id)


@given(names, points)
def test_names_hold_neither_blanks_nor_quotes_nor_what_a_spreadsheet_would_run(variant: str, point: dict) -> None:
    text = case(variant, point=point).id
    assert text.isprintable()
    assert not set(text) & set(" \t\"'`;<>|&$\\")
    assert text[0] not in "=+-@"


def test_the_baseline_knows_itself() -> None:
    assert case("no_bias").is_baseline
    assert not case("bias").is_baseline


@pytest.mark.parametrize(
    ("claim", "text"),
    [
        (Claim(kind="higher", metric="time"), 'higher("time")'),
        (Claim(kind="lower", metric="memory/peak", of=("bias",)), 'lower("memory/peak", of="bias")'),
        (Claim(kind="close", metric="output", of=("a", "b")), 'close("output", of=["a", "b"])'),
        (Claim(kind="unchanged", metric="time", on="cuda", at=make_point({"n": 4, "layout": "nhwc"})),
         'unchanged("time", on="cuda", at={"layout": "nhwc", "n": 4})'),
    ],
)  # fmt: skip
def test_a_claim_reads_as_its_author_wrote_it(claim: Claim, text: str) -> None:
    assert claim.text == text


def test_an_environment_is_named_by_its_facts_in_any_order() -> None:
    a, b = Environment(facts={"torch": "2.13", "cpu": "x"}), Environment(facts={"cpu": "x", "torch": "2.13"})
    assert a.key == b.key
    assert len(a.key) == 12
    assert a.key != Environment(facts={"cpu": "x", "torch": "2.12"}).key


def test_why_a_fact_is_missing_does_not_rename_the_environment() -> None:
    assert environment().key == dataclasses.replace(environment(), reasons={"gpu": "no driver"}).key


def test_every_noun_is_frozen_slotted_and_built_by_keyword() -> None:
    nouns = [v for v in vars(bench.model).values() if dataclasses.is_dataclass(v) and v.__module__ == "bench.model"]
    assert Case in nouns
    for noun in nouns:
        assert noun.__dataclass_params__.frozen, noun
        assert "__slots__" in vars(noun), noun
        assert all(field.kw_only for field in dataclasses.fields(noun)), noun
