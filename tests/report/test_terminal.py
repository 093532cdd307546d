import io
from collections.abc import Callable

import pytest
from rich.console import Console
from stories import hostile, nothing, story

from bench.analysis.summary import Summary
from bench.report.terminal import show


def printed(summary: Summary, width: int, **options: object) -> str:
    console = Console(file=io.StringIO(), width=width, **options)
    show(summary, console)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [80, 160])
def test_a_run_is_printed_as_accepted(width: int, golden: Callable[[str, str], None]):
    golden(f"report/terminal-{width}.txt", printed(story(), width))


@pytest.mark.parametrize("summary", [story(), hostile(), nothing()], ids=["story", "hostile", "nothing"])
@pytest.mark.parametrize("width", [40, 80, 160])
def test_no_line_is_wider_than_the_terminal(summary: Summary, width: int):
    assert max(len(line) for line in printed(summary, width).splitlines()) <= width


def test_a_pipe_gets_no_control_codes():
    assert "\x1b" not in printed(story(), 80)


def test_no_color_means_no_colour_on_a_terminal_too():
    coloured = printed(story(), 80, force_terminal=True, color_system="standard")
    assert "\x1b[31m" in coloured or "\x1b[1;31m" in coloured
    assert "31m" not in printed(story(), 80, force_terminal=True, color_system="standard", no_color=True)


def test_hostile_names_stay_text():
    text = printed(hostile(), 160, force_terminal=True, color_system="standard")
    assert "\x1b[31mred" not in text
    assert "\u202e" not in text
    assert "<script>" in text
    assert r"\u202e" in text


def test_markup_of_the_terminal_library_is_text():
    assert "[bold]x[/bold]" in printed(_named("[bold]x[/bold]"), 80)


def _named(question: str) -> Summary:
    import dataclasses

    summary = nothing()
    declared = dataclasses.replace(summary.manifest.declarations[0], question=question)
    return dataclasses.replace(summary, manifest=dataclasses.replace(summary.manifest, declarations=(declared,)))
