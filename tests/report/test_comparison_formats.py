from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from xml.etree import ElementTree

import pytest
from compared import FACTS, bits, exact, report, row, times
from pages import Page
from rich.console import Console

from bench.analysis.change import STATES, Change, Comparison, Pair
from bench.analysis.compare import compare, exit_status
from bench.analysis.reported import Report
from bench.errors import BenchError
from bench.report import comparison_html, comparison_markdown, comparison_terminal
from bench.report.comparison_formats import FORMS, render
from bench.report.comparison_terminal import show

FAIL_ON = frozenset({"worse", "missing", "failed"})


def case(number: int) -> str:
    return f"conv/bias_before_bn[c={64 * number},hw=56,n=4]/bias@cpu"


def base(**fields: object) -> Report:
    return report(
        row(times(seed=1), case=case(1)),
        bits("aa11", case=case(1)),
        exact(4096.0 * 1000, case=case(1)),
        row(times(seed=2), case=case(2)),
        bits("aa11", case=case(2)),
        row(times(seed=3), case=case(3)),
        row(times(spread=0.05, seed=4), case=case(4)),
        row(times(seed=4), case=case(5)),
        row(times(seed=4), case="conv/x[n=1]/a@cpu"),
        row(times(seed=5), case=case(7)),
        row(times(seed=6), case=case(8)),
        row(times(seed=7), case=case(9)),
        name="reports/base",
        facts={**FACTS, "host": ("a",), "cpu_cores": ("8",)},
    )


def new() -> Report:
    return report(
        row(times(2.2e-3, seed=11), case=case(1)),
        bits("aa11", case=case(1)),
        exact(4096.0 * 1004, case=case(1)),
        row(times(seed=12), case=case(2)),
        bits("bb22", case=case(2)),
        row(status="oom", reason="needs 19.6 GB, this machine has 8", value=None, case=case(3)),
        row(times(2.12e-3, spread=0.05, seed=14), case=case(4)),
        row(times(1.5e-3, seed=15), case=case(5)),
        row(times(seed=4), case="conv/x[dtype=bf16,n=1]/a@cpu"),
        row(times(seed=5), case=case(7), version="v2"),
        row(status="skipped", reason="needs a GPU", value=None, case=case(8)),
        row(status="invalid", reason="3 of 12 samples are valid", value=None, case=case(9)),
        name="reports/new",
        facts={**FACTS, "torch": ("2.11",), "host": ("b",)},
    )


def last() -> Report:
    rows = [row(times(2.2e-3, seed=21), case=case(1)), row(times(2.2e-3, seed=22), case=case(2))]
    return report(*rows, name="reports/last", facts={**FACTS, "torch": ("2.12",)})


def two() -> Comparison:
    return compare([base(), new()])


def three() -> Comparison:
    return compare([base(), new(), last()])


def shown(comparison: Comparison, width: int = 80) -> str:
    text = io.StringIO()
    show(comparison, FAIL_ON, Console(file=text, width=width))
    return "".join(f"{line.rstrip()}\n" for line in text.getvalue().splitlines())


def test_the_example_holds_every_state() -> None:
    assert {change.state for change in two().changes} == set(STATES)


_LONG = re.compile(r"\d+\.\d{9,}(e-\d+)?")  # versions of SciPy part in the last digits


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_as_it_was_accepted(form: str, golden: Callable[[str, str], None]) -> None:
    text = render(two(), form, FAIL_ON)
    if form == "html":
        golden("comparison/two.html.txt", "\n".join(Page(text).lines) + "\n")
    else:
        text = json.dumps(json.loads(text), indent=1) if form == "json" else text
        golden(f"comparison/two.{form}", _LONG.sub(lambda found: f"{float(found[0]):.9g}", text))


def test_the_terminal_of_80_columns_is_as_it_was_accepted(golden: Callable[[str, str], None]) -> None:
    text = shown(two())
    golden("comparison/two.80", text)
    assert max(map(len, text.split("\n"))) <= 80


@pytest.mark.parametrize("form", ["terminal", "markdown"])
def test_three_reports_are_a_matrix(form: str, golden: Callable[[str, str], None]) -> None:
    golden(f"comparison/three.{form}", render(three(), form, FAIL_ON))


def test_another_machine_is_a_table_with_its_remedy(golden: Callable[[str, str], None]) -> None:
    other = report(row(times()), name="other", facts={**FACTS, "cpu": ("Other CPU",), "kernel": ("7",)})
    comparison = compare([report(row(times()), facts={**FACTS, "kernel": ("6",)}), other])
    for form in ("terminal", "markdown"):
        golden(f"comparison/incomparable.{form}", render(comparison, form, FAIL_ON))


@pytest.mark.parametrize("width", [40, 80, 160])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    for comparison in (two(), three()):
        assert max(map(len, shown(comparison, width).split("\n"))) <= width


def test_json_holds_every_change_with_its_numbers_and_the_exit_status() -> None:
    data = json.loads(render(three(), "json", FAIL_ON))
    assert data["exit_status"] == exit_status(three(), FAIL_ON) == 4
    assert data["fail_on"] == ["failed", "missing", "worse"]
    assert [len(pair["changes"]) for pair in data["pairs"]] == [len(pair.changes) for pair in three().pairs]
    assert len(data["steps"]) == 2
    worse = next(c for c in data["pairs"][0]["changes"] if c["metric"] == "time/forward" and c["state"] == "worse")
    assert worse["low"] < worse["ratio"] < worse["high"]
    assert (worse["base_processes"], worse["bits"], worse["floor"]) == (12, "same bits", 0.02)
    assert data["pairs"][0]["counts"]["worse"] == 2
    assert data["pairs"][0]["differences"][0] == {
        "key": "torch",
        "label": "PyTorch",
        "kind": "under test",
        "base": "2.10",
        "new": "2.11",
        "blocks": False,
    }


def test_csv_holds_every_change_with_every_digit() -> None:
    comparison = three()
    rows = list(csv.DictReader(io.StringIO(render(comparison, "csv", FAIL_ON))))
    assert len(rows) == sum(len(pair.changes) for pair in (*comparison.pairs, *comparison.steps))
    assert {r["against"] for r in rows} == {"first", "previous"}
    assert float(rows[1]["ratio"]) == comparison.pairs[0].changes[1].ratio
    assert rows[0]["p"] == ""


def test_junit_fails_what_fails_the_gate_and_only_that() -> None:
    root = ElementTree.fromstring(render(two(), "junit", FAIL_ON))
    (suite,) = root
    states = {tag: [e.get("type") for e in suite.iter(tag)] for tag in ("failure", "error")}
    assert states == {"failure": ["worse", "worse", "missing"], "error": ["failed", "invalid", "incomparable"]}
    assert (suite.get("failures"), suite.get("errors")) == ("3", "3")
    assert int(suite.get("tests", "0")) == len(two().changes)
    lenient = ElementTree.fromstring(render(two(), "junit", frozenset()))
    assert [e.get("type") for e in lenient.iter("failure")] == []
    assert {e.get("type") for e in lenient.iter("error")} == {"invalid", "incomparable"}


HOSTILE = (
    "<script>alert(1)</script>",
    "\x1b[31mred\x1b[0m",
    "\u202egnp.exe",
    "a|b`c*d_e[f](g)",
    "line\nbreak",
    '=HYPERLINK("x")',
    "[bold]rich[/bold]",
    "@everyone #1",
    "x" * 10_000,
    'quote" & <amp;>',
    "-1+1|cmd",
    "+1+1",
    "@SUM(1)",
    "\t=1",
)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names_stay_text(form: str, name: str) -> None:
    broken = row(status="failed", reason=name, value=None, case=f"s/{name}")
    sides = [
        report(row(times(seed=1)), row(times(), case=f"s/{name}"), name=name, facts={**FACTS, "torch": (name,)}),
        report(row(times(2.2e-3, seed=2)), broken, name="new", facts={**FACTS, "torch": ("2",)}),
    ]
    text = render(compare(sides), form, FAIL_ON)
    assert "\x1b" not in text
    assert "\u202e" not in text
    if form == "markdown":
        assert "<script>" not in re.sub(r"(`+).*?\1", "", text)  # a code span shows it as it is
        assert max(map(len, text.split("\n"))) < 3_000
    if form == "html":
        assert "<script>alert" not in text
        assert "<amp;>" not in text
    if form == "junit":
        ElementTree.fromstring(text)
    if form == "json":
        assert json.loads(text)["pairs"][0]["base"] == name
    if form == "csv":
        cells = {cell for line in csv.reader(io.StringIO(text)) for cell in line}
        assert not any(cell.lstrip().startswith(("=", "@", "+", "-")) for cell in cells)
    if form == "terminal":
        assert "rich" not in name or "[bold]rich[/bold]" in text


def many(count: int) -> Comparison:
    cases = [f"conv/b[n={n}]/x@cpu" for n in range(count)]
    return compare(
        [
            report(*(exact(1.0, case=name) for name in cases)),
            report(*(exact(2.0, case=name) for name in cases), name="new"),
        ]
    )


@pytest.mark.parametrize("form", ["terminal", "markdown"])
def test_what_is_left_out_is_counted(form: str) -> None:
    most = {"terminal": comparison_terminal.MOST_ROWS, "markdown": comparison_markdown.MOST_ROWS}[form]
    text = render(many(most + 7), form, FAIL_ON)
    assert text.count("memory/peak/forward") == most
    assert "and 7 more" in text
    assert "--format csv" in text
    assert "more" not in render(many(most), form, FAIL_ON)


@pytest.mark.parametrize("form", ["terminal", "markdown"])
def test_of_many_reports_the_last_are_told_in_full_and_the_others_counted(form: str) -> None:
    sides = [report(row(times(seed=n)), name=f"report-{n}") for n in range(20)]
    text = render(compare(sides), form, FAIL_ON)
    assert text.count("what changed") == 3
    assert "earlier report" in text
    for side in sides[1:]:
        assert side.name in text


def test_markdown_of_very_many_changes_fits_a_step_summary() -> None:
    assert len(render(many(20_000), "markdown", FAIL_ON).encode()) < 1 << 20


def test_markdown_of_many_reports_with_long_names_fits_too_and_counts_what_is_left_out() -> None:
    """Every state of three pairs in full, a wide matrix, and more notes than anybody reads."""
    long = "<&|`*\N{PERSON WITH BALL}" * 40
    changes = tuple(
        Change(case=f"s/{n}{long}[]/x@cpu", metric=long, state=state, reason=long * 3)
        for state in STATES
        for n in range(150)
    )
    notes = tuple(f"note {n} {long}" for n in range(100))
    pair = Pair(base=long, new=long, changes=changes, notes=notes, hints=notes)
    comparison = Comparison(
        pairs=(pair,) * 400, steps=(pair,) * 400, floor=0.02, fdr=0.01, confidence=0.95, notes=notes
    )
    text = render(comparison, "markdown", FAIL_ON)
    assert 1 << 19 < len(text.encode()) < 1 << 20
    for state in STATES:
        (shown, left_out), *_ = re.findall(rf"150 {state}: .*?\n\n(\|.*?)\n\n… and (\d+) more rows", text, re.DOTALL)
        assert shown.count("\n") - 1 + int(left_out) == 150
        assert shown.count("\n") > 5


@pytest.mark.parametrize(("count", "told"), [(comparison_html.MOST_ROWS + 7, True), (3, False)])
def test_the_heat_map_says_how_much_of_it_is_left_out(count: int, told: bool) -> None:
    cases = [f"conv/b[n={n}]/x@cpu" for n in range(count)]
    sides = [report(*(exact(float(size), case=name) for name in cases), name=f"r{size}") for size in (1, 2, 3)]
    text = render(compare(sides), "html", FAIL_ON)
    assert ("… and 7 more rows of the heat map: --format csv lists all." in text) is told
    assert text.count("rows of the heat map") == told


def test_the_same_comparison_gives_the_same_bytes() -> None:
    for form in FORMS:
        assert render(three(), form, FAIL_ON) == render(three(), form, FAIL_ON)


def test_a_form_that_does_not_exist_is_refused_with_the_nearest() -> None:
    with pytest.raises(BenchError, match="--format markdwon: no such form; did you mean 'markdown'"):
        render(two(), "markdwon", FAIL_ON)
    with pytest.raises(BenchError, match="choose from terminal, markdown, html, json, csv, junit"):
        render(two(), "pdf", FAIL_ON)
