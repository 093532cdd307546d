from __future__ import annotations

import io
from pathlib import Path

import pandas as pd
from builders import case, declaration, environment, manifest, record
from pages import Page
from rich.console import Console

from bench.analysis.summary import Summary, summarise
from bench.model import Check, Record
from bench.report.determinism import parts
from bench.report.files import write_report
from bench.report.frame import PRICE_COLUMNS, prices_frame
from bench.report.html import html
from bench.report.markdown import markdown
from bench.report.plots_of_determinism import price_figure
from bench.report.style import drawing
from bench.report.terminal import show

RAISES = (
    "RuntimeError: cumsum_cuda_kernel does not have a deterministic implementation, "
    "but you set 'torch.use_deterministic_algorithms(True)'. You can turn off determinism just for this operation."
)


def check(what: str = "output", verdict: str = "repeats", **fields: object) -> Check:
    return Check(what=what, level="full", verdict=verdict, repeats=20, **fields)  # type: ignore[arg-type]


def timed(variant: str, knobs: str, seconds: float) -> list[Record]:
    samples = ([seconds * (1 + 0.01 * ((3 * p + r) % 4)) for r in range(4)] for p in range(1, 6))
    return [record(variant, s, process=p, knobs=knobs) for p, s in enumerate(samples, start=1)]


def turned() -> list[Record]:
    """Two cases in three cells: one costs half as much again, one raises for ``bias`` and gives other bits."""
    near = {"ulp": 3.0, "relative": 2e-7, "knobs": "deterministic=on"}
    same = {"ulp": 0.0, "relative": 0.0, "knobs": "deterministic=on,fill=on"}
    return [
        *(r for variant in ("no_bias", "bias") for r in timed(variant, "default", 1e-3)),
        *(r for variant in ("no_bias", "bias") for r in timed(variant, "deterministic=on,fill=on", 1.5e-3)),
        record("no_bias", process=0, knobs="deterministic=on", checks=(check(**near),)),
        record("bias", process=0, knobs="deterministic=on", status="failed", reason=RAISES),
        record("no_bias", process=0, knobs="deterministic=on,fill=on", checks=(check(**same),)),
        record("bias", process=0, knobs="deterministic=on,fill=on", checks=(check(**same),)),
    ]


def summary(*more: Record) -> Summary:
    facts = [
        record("no_bias", process=0, checks=(check(),), operators=("mm",)),
        record("bias", process=0, checks=(check(),), operators=("index_copy",)),
    ]
    return summarise(manifest(None), {"e1": environment()}, [*facts, *more])


def test_the_price_is_a_row_for_each_cell() -> None:
    part = parts(summary(*turned()))[-1]
    assert part.header == ("knobs", "cases", "repeat", "same bits", "distance", "time", "dearest")
    rows = {row[0]: row[1:] for row in part.rows}
    assert rows["deterministic=on"] == ("1 of 2", "all", "none", "2.0e-07", "–", "–")
    on = rows["deterministic=on,fill=on"]
    assert on[:5] == ("2", "all", "all", "–", "+50.0 %")
    assert on[5].startswith("+50")


def test_no_word_of_a_price_is_broken_in_a_terminal() -> None:
    text = io.StringIO()
    show(summary(*turned()), Console(file=text, width=80))
    lines = text.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    words = {word for line in lines for word in line.split()}
    part = parts(summary(*turned()))[-1]
    assert {word for cells in (part.header, *part.rows) for cell in cells for word in cell.split()} <= words


def test_what_raises_is_said_once_and_without_advice() -> None:
    remarks = parts(summary(*turned()))[-1].remarks
    assert remarks[-1] == (
        "deterministic=on fails in 1 case: "
        "RuntimeError: cumsum_cuda_kernel does not have a deterministic implementation"
    )


def test_the_dearest_case_is_named_where_it_costs_anything() -> None:
    remarks = parts(summary(*turned()))[-1].remarks
    named = [remark for remark in remarks if "is dearest for" in remark]
    assert len(named) == 1
    assert named[0].startswith("deterministic=on,fill=on is dearest for conv/bias_before_bn[")


def test_the_contract_names_what_is_documented_and_what_was_seen() -> None:
    part = parts(summary(*turned()))[0]
    assert part.rows == (("not as documented", "Tensor.index_copy", "repeat", "1 of 1", "1", "0 in 20 repeats"),)


def test_a_run_without_the_matrix_has_no_tables_of_it() -> None:
    assert [part.title for part in parts(summary())] == ["What is documented of determinism, and what was seen"]
    assert prices_frame(summary()).empty


def test_prices_are_a_table_of_their_own() -> None:
    frame = prices_frame(summary(*turned()))
    assert tuple(frame.columns) == PRICE_COLUMNS
    on = frame[frame["knobs"] == "deterministic=on,fill=on"]
    assert list(on["case"]) == [case("no_bias").id, case("bias").id]
    assert on["ratio"].round(6).tolist() == [1.5, 1.5]
    assert on["processes"].tolist() == [5, 5]


def test_the_matrix_is_in_every_report_and_in_no_estimate(tmp_path: Path) -> None:
    found = summary(*turned())
    write_report(found, tmp_path)
    assert "What determinism costs" in (tmp_path / "report.md").read_text()
    assert len(pd.read_csv(tmp_path / "prices.csv")) == 2
    checks = pd.read_csv(tmp_path / "reproducibility.csv", keep_default_na=False)
    assert set(checks["knobs"]) == {"", "deterministic=on", "deterministic=on,fill=on"}
    rows = pd.read_csv(tmp_path / "report.csv")
    assert rows[rows["metric"] == "time/forward"]["status"].tolist() == ["failed", "failed"]  # nothing else was timed
    assert (tmp_path / "plots" / "determinism-price.svg").exists()


def test_the_picture_has_a_row_for_each_cell_that_was_timed() -> None:
    with drawing():
        figure = price_figure(summary(*turned()))
    assert figure is not None
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["deterministic=on,fill=on"]
    assert price_figure(summary()) is None


def test_terminal_and_markdown_say_the_same() -> None:
    found = summary(*turned())
    printed = io.StringIO()
    show(found, Console(width=140, file=printed))
    text = printed.getvalue()
    for word in ("deterministic=on,fill=on", "+50.0 %", "not as documented"):
        assert word in text
        assert word in markdown(found)


def test_names_are_harmless_in_markdown() -> None:
    evil = [record(case("a|b", benchmark="<b>"), process=0, knobs="deterministic=on", status="failed", reason="<i>|x")]
    text = markdown(summarise(manifest([], declarations=(declaration(),)), {}, evil))
    assert "<i>" not in text


def test_the_page_shows_both_tables_before_the_checks() -> None:
    lines = Page(html(summary(*turned()))).lines
    titles = [
        "What is documented of determinism, and what was seen",
        "What determinism costs, and what else the knobs change",
    ]
    places = [lines.index(title) for title in (*titles, "Every check")]
    assert places == sorted(places)
    assert "+50.0 %" in lines
