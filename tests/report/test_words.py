import re
import typing
import unicodedata

import pytest
from builders import estimate
from hypothesis import given
from hypothesis import strategies as st

from bench.model import Check, Decision, Flag, Repeatability, Status, StopReason
from bench.report import words


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (0.00271, "s", "2.71 ms"),
        (0.0027, "s", "2.70 ms"),
        (2.0, "s", "2.00 s"),
        (0.9997, "s", "1.00 s"),
        (0.00099994, "s", "1.00 ms"),
        (3.2e-7, "s", "320 ns"),
        (12345.0, "s", "12345 s"),
        (0.0, "s", "0 s"),
        (512.0, "B", "512 B"),
        (1024.0, "B", "1.00 KiB"),
        (1023.0, "B", "1023 B"),
        (1536.0, "B", "1.50 KiB"),
        (1.5 * 2**20, "B", "1.50 MiB"),
        (19.6 * 2**30, "B", "19.6 GiB"),
        (0.0, "B", "0 B"),
        (3.2e10, "FLOP/s", "32.0 GFLOP/s"),
        (118.0, "MAC", "118 MAC"),
        (-1536.0, "B", "-1.50 KiB"),
        (None, "s", "–"),
        (float("nan"), "s", "–"),
        (float("inf"), "s", "–"),
        ("ab" * 32, "sha256", "abababab…bababab"),
    ],
)
def test_a_quantity_has_three_digits_and_a_unit(value: float | str | None, unit: str, said: str):
    assert words.quantity(value, unit) == said


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.2, "0 s"), (45, "45 s"), (200, "3 min 20 s"), (3900, "1 h 5 min"), (-5, "0 s")]
)
def test_a_duration_is_said_as_one_waits_for_it(seconds: float, said: str):
    assert words.duration(seconds) == said


@pytest.mark.parametrize(
    ("fraction", "said"), [(0.12, "12 %"), (0.004, "0.4 %"), (0.0004, "<0.1 %"), (0.0, "0 %"), (1.0, "100 %")]
)
def test_a_share_that_is_not_nothing_is_never_zero(fraction: float, said: str):
    assert words.share(fraction) == said


def test_a_change_without_a_ratio_is_a_dash_and_no_change_is_zero():
    assert words.change(None) == "–"
    assert words.change(1.0, 1.0, 1.0) == "0 %"
    assert words.change(1.041, 1.036, 1.047) == "+4.1 % [3.6, 4.7]"
    assert words.change(2.4, 2.35, 2.46) == "2.40x [2.35, 2.46]"


@pytest.mark.parametrize(("ratio", "said"), [(1.05, "+5 %"), (1.0, "0 %"), (0.98, "-2 %"), (1.0005, "+0.05 %")])
def test_ticks_of_an_axis_are_percents(ratio: float, said: str):
    assert words.percent_tick(ratio) == said


def test_controls_and_direction_marks_are_made_visible():
    assert words.escape("a\x1b[31mb\u202ec\nd\te\x00f\ud800g") == r"a\x1b[31mb\u202ec\nd\te\x00f\ud800g"


@given(st.text(max_size=300))
def test_an_escaped_text_holds_nothing_unseen(text: str):
    shown = words.escape(text)
    assert not {"Cc", "Cf", "Cs", "Zl", "Zp"} & {unicodedata.category(c) for c in shown}


@given(st.text(st.characters(exclude_characters="…")), st.integers(min_value=1, max_value=50))
def test_a_shortened_text_fits_and_keeps_both_ends(text: str, longest: int):
    short = words.shorten(text, longest)
    assert len(short) <= longest
    if len(text) > longest:
        before, after = short.split("…")
        assert text.startswith(before)
        assert text.endswith(after)
    else:
        assert short == text


@pytest.mark.parametrize(
    ("kind", "table"),
    [
        (Flag, words.FLAGS),
        (Status, words.STATUSES),
        (StopReason, words.STOPS),
        (Decision, words.DECISIONS),
        (Repeatability, words.REPEATABILITY),
    ],
)
def test_every_name_of_the_model_has_its_words(kind: object, table: dict[str, str]):
    assert set(table) == set(typing.get_args(kind))


def test_every_flag_names_a_remedy():
    assert all(re.search(r"; \w+", sentence) for sentence in words.FLAGS.values())


def test_repeats_bound_a_rate_and_prove_nothing():
    same = Check(what="output", level="quick", verdict="repeats", repeats=20)
    assert words.repeats(same) == "0 of 20 repeats differed: fewer than 14 % differ, at 95 %"
    other = Check(what="output", level="quick", verdict="differs", repeats=20, differing=3)
    assert words.repeats(other) == "3 of 20 repeats differed"
    assert words.repeats(Check(what="output", level="quick", verdict="mutates", reason="input 0")) == "input 0"


def test_the_worst_determinism_check_speaks_for_a_case():
    same = Check(what="output", level="quick", verdict="repeats", repeats=20)
    other = Check(what="gradient", level="quick", verdict="differs", repeats=20, differing=3)
    assert words.repeated([same, other]) == "differs 3/20"
    assert words.repeated([same]) == "repeats"
    assert words.repeated([]) == "–"


def test_a_numeric_check_is_said_with_its_distance():
    close = Check(what="output", level="numeric", verdict="close", error=3.8e-7)
    assert words.checked([close], "output") == "close 3.8e-07"
    assert words.checked([close], "gradient") == "–"
    assert (
        words.checked([Check(what="output", level="numeric", verdict="identical", error=0.0)], "output") == "identical"
    )


def test_an_estimate_without_a_number_says_its_status_instead():
    assert words.value_of(estimate(status="oom")) == "oom"
    assert words.value_of(None) == "–"
    assert words.value_of(estimate(value=0.0027)) == "2.70 ms"


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(0.00268, 0.00274, "2.68 to 2.74 ms"), (0.0009, 0.0011, "900 us to 1.10 ms"), (None, None, "–")],
)
def test_an_interval_names_its_unit_once(low: float | None, high: float | None, said: str):
    assert words.interval_of(estimate(value=0.001, low=low, high=high)) == said


def test_the_baseline_is_not_compared_with_itself():
    assert words.effect(estimate("no_bias", value=0.1)) == "baseline"


def test_a_reason_follows_its_status():
    assert words.because("skipped", "needs a GPU") == "skipped: needs a GPU"
    assert words.because("oom", "19.6 GB") == "out of memory: 19.6 GB"
    assert words.because("timeout", "") == "took longer than its time limit; use a smaller point"


def test_things_are_counted_in_the_plural():
    assert words.counted(1, "case") == "1 case"
    assert words.counted(0, "case") == "0 cases"
    assert words.counted(2, "pass", "passes") == "2 passes"
