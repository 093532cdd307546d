from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.claims import check_claim, close, higher, identical, lower, parse_fraction, unchanged
from bench.errors import SuiteError
from bench.model import Claim, make_point


def check(claim: object, **having: Any) -> None:
    points = [make_point({"c": c, "n": 4}) for c in (16, 64)]
    known = {"variants": ("no_bias", "bias"), "phases": ("forward", "backward"), "points": points}
    check_claim("question", claim, **{**known, **having})


def test_a_claim_keeps_what_it_was_told() -> None:
    claim = higher("time/forward", of="bias", within="2%", note="C5", on="cuda", at={"n": 4, "c": 16})
    assert claim == Claim(
        kind="higher",
        metric="time/forward",
        of=("bias",),
        within=0.02,
        note="C5",
        on="cuda",
        at=(("c", 16), ("n", 4)),
    )


def test_a_claim_speaks_of_every_variant_within_one_percent_unless_told_otherwise() -> None:
    assert unchanged("time") == Claim(kind="unchanged", metric="time", of=(), within=0.01)


@pytest.mark.parametrize("write", [close, identical])
def test_sameness_is_of_the_output_unless_told_otherwise(write: Callable[..., Claim]) -> None:
    assert write().metric == "output"
    assert write("gradient").metric == "gradient"


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda: higher("tme"), "higher(\"tme\"): unknown metric 'tme'; did you mean 'time'?"),
        (
            lambda: higher("output"),
            (
                'higher("output"): close and identical speak of "output" or "gradient"; lower, higher and unchanged of '
                'a number such as "time" or "memory/peak"'
            ),
        ),
        (
            lambda: close("time"),
            (
                'close("time"): close and identical speak of "output" or "gradient"; lower, higher and unchanged of '
                'a number such as "time" or "memory/peak"'
            ),
        ),
        (
            lambda: lower("time", within="5"),
            'lower("time"): within=\'5\' must be a share from 0 to below 1: write "1%" or 0.01',
        ),
        (lambda: lower("time", on="gpu"), 'lower("time"): on=\'gpu\' is no device: write on="cpu" or on="cuda"'),
        (lambda: lower("time", notes="C5"), "lower(\"time\") takes no 'notes': did you mean 'note'?"),
        (lambda: lower("time", zzz=1), "lower(\"time\") takes no 'zzz': it takes of, within, on, at, note"),
    ],
)
def test_a_claim_that_cannot_be_meant_is_refused_where_it_is_written(write: Callable[[], Claim], message: str) -> None:
    with pytest.raises(SuiteError) as refused:
        write()
    assert str(refused.value) == message


@pytest.mark.parametrize(
    "claim",
    [
        higher("time"),
        higher("time/forward/hot", of="bias"),
        unchanged("memory/parameters"),
        unchanged("memory/peak/backward"),
        unchanged("work/macs(thop)"),
        unchanged("work/flops(torch)/backward"),
        close("gradient"),
        lower("time", at={"c": 64}),
    ],
)
def test_a_claim_on_what_a_benchmark_has_is_accepted(claim: Claim) -> None:
    check(claim)


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        (
            "higher",
            'question: claims are written higher("time", of="…"), lower, unchanged, close or identical',
        ),
        (
            higher("time", of="bais"),
            'question: higher("time", of="bais") names an unknown variant; did you mean \'bias\'?',
        ),
        (
            higher("time", of="zzz"),
            'question: higher("time", of="zzz") names an unknown variant; the variants are no_bias, bias',
        ),
        (
            higher("time", of="no_bias"),
            (
                'question: higher("time", of="no_bias") speaks of the baseline; '
                "a claim is on a variant against 'no_bias'"
            ),
        ),
        (
            higher("time/forwrad"),
            "question: higher(\"time/forwrad\") speaks of 'forwrad'; did you mean 'forward'?",
        ),
        (
            higher("time/inference"),
            "question: higher(\"time/inference\") speaks of 'inference'; the phases are forward, backward",
        ),
        (
            higher("time/forward/hott"),
            "question: higher(\"time/forward/hott\") speaks of 'hott'; did you mean 'hot'?",
        ),
        (
            lower("memory/peak/forward/hot"),
            'question: lower("memory/peak/forward/hot") speaks of \'hot\'; write "memory/peak/forward"',
        ),
        (
            lower("memory/parameters/forward"),
            'question: lower("memory/parameters/forward") speaks of \'forward\'; write "memory/parameters"',
        ),
        (
            lower("time", at={"hw": 32}),
            'question: lower("time", at={"hw": 32}) is limited to an unknown axis; the axes are c, n',
        ),
        (
            lower("time", at={"c": 65}),
            'question: lower("time", at={"c": 65}) is limited to c=65, which no point has; c is one of [16, 64]',
        ),
    ],
)
def test_a_claim_on_what_a_benchmark_lacks_is_refused(claim: object, message: str) -> None:
    with pytest.raises(SuiteError) as refused:
        check(claim)
    assert str(refused.value) == message


def test_a_claim_needs_somebody_to_be_compared_with() -> None:
    with pytest.raises(SuiteError, match="needs a second variant to be compared with 'alone'"):
        check(higher("time"), variants=("alone",))


def test_a_claim_on_time_needs_a_phase() -> None:
    with pytest.raises(SuiteError, match=r'higher\("time"\) needs a phase, and phases=\(\) measures none'):
        check(higher("time"), phases=())
    check(close("output"), phases=())
    check(unchanged("work/flops(torch)"), phases=())


@given(st.floats(0, 0.99))
def test_a_share_may_be_written_as_a_fraction_or_in_percent(share: float) -> None:
    assert parse_fraction(share, where="--floor") == share
    assert parse_fraction(f"{share * 100!r}%", where="--floor") == pytest.approx(share)


@pytest.mark.parametrize("text", ["", "%", "abc", "-1%", "100%", "1", "nan", "inf%", None, True])
def test_what_is_no_share_is_refused_with_the_place(text: Any) -> None:
    with pytest.raises(SuiteError, match=r'^--floor=.* must be a share from 0 to below 1: write "1%" or 0.01$'):
        parse_fraction(text, where="--floor")
