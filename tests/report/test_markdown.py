from collections.abc import Callable

import pytest
from stories import HOSTILE, hostile, large, nothing, story

from bench.report.markdown import code, markdown, plain, table


def test_a_run_reads_as_accepted(golden: Callable[[str, str], None]):
    golden("report/report.md", markdown(story()))


def test_a_run_without_a_record_reads_as_accepted(golden: Callable[[str, str], None]):
    golden("report/nothing.md", markdown(nothing()))


def test_what_was_refuted_comes_before_what_was_confirmed():
    text = markdown(story())
    assert text.index("**refuted**") < text.index("**undecided**") < text.index("**confirmed**")
    assert text.index("**undecided**") < text.index("<details>") < text.index("**confirmed**")


def test_hostile_names_stay_text(golden: Callable[[str, str], None]):
    text = markdown(hostile())
    assert all("`" in line for line in text.splitlines() if "<script" in line)  # in code spans alone
    assert not [c for c in text if c in "\x1b\u202e"]
    golden("report/hostile.md", text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a|b", r"a\|b"),
        ("*a*_b_`c`[d](e)", r"\*a\*\_b\_\`c\`\[d\](e)"),
        ("<b>&", "&lt;b&gt;&amp;"),
        ("@you #1 bias@cpu", "<span>@</span>you <span>#</span>1 bias@cpu"),
        ("a\nb\x1b", r"a\\nb\\x1b"),
    ],
)
def test_plain_text_is_shown_as_it_is(text: str, shown: str):
    assert plain(text) == shown


@pytest.mark.parametrize(("name", "shown"), [("a`b", "`` a`b ``"), ("a|b", r"`a\|b`"), ("plain", "`plain`")])
def test_a_name_may_hold_ticks_and_bars(name: str, shown: str):
    assert code(name) == shown


def test_every_row_of_a_table_has_as_many_cells_as_its_header():
    lines = table(("a", "b"), [(plain("x|y"), code(HOSTILE))]).splitlines()
    assert {line.replace(r"\|", "").count("|") for line in lines} == {3}


def test_a_large_run_fits_a_comment_and_says_what_it_left_out():
    text = markdown(large(25, processes=1, rounds=1))
    assert len(text) < 65_536
    assert "rows more in `report.csv`" not in text  # twenty rows a benchmark are shown in full
    assert text.count("<details>") == 27
