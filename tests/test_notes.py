from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench.discover import discover
from bench.errors import SuiteError
from bench.notes import read

ROOT = Path(__file__).parent.parent
SUITE = """
from bench import Subject, benchmark, close


@benchmark(variants={"a": 1, "b": 2}, cpu={"n": [4]}, claims=[close("output", note="N1"), close("output", note="N2")])
def sums(value, n):
    "Sums."
    return Subject(abs, n)
"""
NOTES = "note,source,says\nN1,yolo.md:5,sums are sums\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "sums.py").write_text(SUITE)
    return folder


def cited(folder: Path) -> list[str]:
    (found,) = discover([str(folder)])
    return [claim.cited for claim in found.declaration("cpu").claims]


def test_without_a_list_a_claim_cites_the_id_of_its_note(folder: Path) -> None:
    assert cited(folder) == ["N1", "N2"]


@pytest.mark.parametrize("place", [".", ".."])
def test_a_list_beside_the_suite_or_its_folder_tells_file_and_line(folder: Path, place: str) -> None:
    (folder / place / "notes.csv").write_text(NOTES)
    assert cited(folder) == ["N1, yolo.md:5", "N2"]


def test_where_a_note_stands_is_no_change_of_a_benchmark(folder: Path) -> None:
    (before,) = discover([str(folder)])
    (folder / "notes.csv").write_text(NOTES)
    (after,) = discover([str(folder)])
    assert after.version == before.version
    assert [claim.text for claim in after.benchmark.claims] == [claim.text for claim in before.benchmark.claims]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"notes.csv:1: begin with the line note,source,says"),
        ("id,file\n", r"notes.csv:1: begin with"),
        ("note,source,says\nN1,yolo.md:5\n", r"notes.csv:2: write a note's id, its file and line, and what it says"),
        ("note,source,says\nN1,,sums\n", r"notes.csv:2: write"),
        (f"{NOTES}N1,other.md:7,sums\n", r"notes.csv:3: N1 stands above already"),
        ('note,source,says\nN1,"yolo.md:5"x,sums\n', r"notes.csv: cannot be read \(.*it is CSV in UTF-8"),
    ],
)
def test_a_list_that_is_wrong_is_named_with_its_line(folder: Path, text: str, message: str) -> None:
    (folder / "notes.csv").write_text(text)
    with pytest.raises(SuiteError, match=message):
        discover([str(folder)])


def test_a_list_in_another_encoding_is_one_sentence(folder: Path) -> None:
    (folder / "notes.csv").write_bytes(NOTES.encode("utf-16"))
    with pytest.raises(SuiteError, match=r"cannot be read .*UTF-8"):
        discover([str(folder)])


def test_every_note_that_our_suites_cite_is_listed_with_its_line() -> None:
    sources = read(ROOT / "suites" / "notes.csv")
    notes = {claim.note for found in discover([str(ROOT / "suites")]) for claim in found.benchmark.claims if claim.note}
    assert notes - sources.keys() == {"X9"}, "X9 is asked by the suite itself"
    assert sources.keys() == notes - {"X9"}
    assert all(re.fullmatch(r"(\d{3}_[0-9a-f]{16}\.txt:[\d,-]+(; )?)+", source) for source in sources.values())
