"""One call for every form a comparison takes: ``render(comparison, "markdown", fail_on)``."""

from __future__ import annotations

import io
from collections.abc import Callable, Collection, Mapping

from bench.analysis.change import Comparison
from bench.errors import BenchError, hint
from bench.report.comparison_data import as_csv, as_json
from bench.report.comparison_junit import junit

# Wide enough for whole case ids where nobody asked for a terminal's width.
_FILE_WIDTH = 160


def check_form(form: str) -> None:
    """Refuse a form that does not exist, before anything else is done.  Raises BenchError with the nearest."""
    if form not in FORMS:
        raise BenchError(f"--format {form}: no such form; {hint(form, FORMS, 'choose from')}")


def render(comparison: Comparison, form: str, fail_on: Collection[str]) -> str:
    """A comparison as text."""
    check_form(form)
    return FORMS[form](comparison, fail_on)


def _terminal(comparison: Comparison, fail_on: Collection[str]) -> str:
    from rich.console import Console

    from bench.report.comparison_terminal import show

    text = io.StringIO()
    show(comparison, fail_on, Console(file=text, width=_FILE_WIDTH, no_color=True))
    return "".join(f"{line.rstrip()}\n" for line in text.getvalue().split("\n")[:-1])


def _markdown(comparison: Comparison, fail_on: Collection[str]) -> str:
    from bench.report.comparison_markdown import markdown

    return markdown(comparison, fail_on)


def _html(comparison: Comparison, fail_on: Collection[str]) -> str:
    from bench.report.comparison_html import html

    return html(comparison, fail_on)


FORMS: Mapping[str, Callable[[Comparison, Collection[str]], str]] = {
    "terminal": _terminal,
    "markdown": _markdown,
    "html": _html,
    "json": as_json,
    "csv": as_csv,
    "junit": junit,
}
