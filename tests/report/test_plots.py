import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image
from stories import hostile, nothing, story

from bench.report.arrange import sections
from bench.report.plots import figures, stems, write_plots
from bench.report.style import COLOURS, DOTS_PER_INCH, HATCHES, MARKERS, WIDTH, Legend, drawing, look

KINDS = ("ratio", "samples", "time", "memory", "roofline")


def texts(path: Path) -> list[str]:
    root = ElementTree.fromstring(path.read_bytes())
    return ["".join(e.itertext()).strip() for e in root.iter() if e.tag.endswith("}text")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plots")
    write_plots(story(), folder)
    return folder


def test_every_timed_benchmark_has_its_pictures_as_svg_and_png(folder: Path):
    assert {p.name for p in folder.iterdir()} == {f"conv-bias_before_bn-{k}.{e}" for k in KINDS for e in ("svg", "png")}


@pytest.mark.parametrize("kind", KINDS)
def test_the_words_of_a_picture_read_as_accepted(kind: str, folder: Path, golden: Callable[[str, str], None]):
    found = texts(folder / f"conv-bias_before_bn-{kind}.svg")
    golden(f"report/plot-{kind}.txt", "\n".join(found) + "\n")


@pytest.mark.parametrize(
    ("kind", "axis"),
    [
        ("ratio", r"time against no_bias .*, 95 % intervals"),
        ("memory", r"memory .*, MiB"),
        ("time", r"process, in the order of the run \(03:04:00 to 03:04:06 UTC\)"),
        ("roofline", r"share of the ceiling"),
        ("samples", r"\d ms"),
    ],
)
def test_axes_name_what_they_show_with_its_unit(kind: str, axis: str, folder: Path):
    assert any(re.search(axis, text) for text in texts(folder / f"conv-bias_before_bn-{kind}.svg"))


def test_pictures_are_as_wide_as_a_page_and_not_blank(folder: Path):
    for path in folder.glob("*.png"):
        with Image.open(path) as image:
            assert image.width == round(WIDTH * DOTS_PER_INCH)
            assert len(image.convert("RGB").getcolors(1 << 24)) > 10


def test_the_same_records_give_the_same_bytes(folder: Path, tmp_path: Path):
    for path in write_plots(story(), tmp_path):
        assert path.read_bytes() == (folder / path.name).read_bytes(), path.name


def test_several_processes_draw_what_one_draws(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    one = story()
    declared = one.manifest.declarations[0]
    many = [dataclasses.replace(declared, benchmark=name) for name in ("bias_before_bn", *"abcdef")]
    monkeypatch.setattr("bench.report.plots._cores", lambda: 2)
    written = write_plots(
        dataclasses.replace(one, manifest=dataclasses.replace(one.manifest, declarations=tuple(many))), tmp_path
    )
    assert [p.name for p in written] == [f"conv-bias_before_bn-{k}.{e}" for k in KINDS for e in ("svg", "png")]
    assert all(path.read_bytes() == (folder / path.name).read_bytes() for path in written)


def test_nothing_measured_is_nothing_drawn(tmp_path: Path):
    assert write_plots(nothing(), tmp_path / "plots") == ()


def test_hostile_names_stay_text(tmp_path: Path):
    written = write_plots(hostile(), tmp_path)
    assert written
    for path in (p for p in written if p.suffix == ".svg"):
        assert re.fullmatch(r"[A-Za-z0-9_+-]+\.svg", path.name)
        root = ElementTree.fromstring(path.read_bytes())
        assert not [e for e in root.iter() if e.tag.endswith("script")]
        assert any("<script>" in text for text in texts(path))
        assert not any(c in text for text in texts(path) for c in "\x1b\u202e")


def test_file_names_differ_where_only_signs_did():

    run = story()
    declared = [
        dataclasses.replace(d, benchmark=name) for d, name in zip(run.manifest.declarations, "?!*", strict=True)
    ]
    manifest = dataclasses.replace(run.manifest, declarations=tuple(declared))
    assert stems(dataclasses.replace(run, manifest=manifest)) == ("conv-_", "conv-_-2", "conv-_-3")


def test_drawing_leaves_no_setting_behind():
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    with drawing():
        list(figures(sections(story())[0], story().manifest.ceilings, "a machine"))
    assert dict(mpl.rcParams) == before


def test_pairs_of_colour_and_marker_repeat_late():
    looks = [(look(n).colour, look(n).marker) for n in range(len(COLOURS) * len(MARKERS))]
    assert len(set(looks)) == 56
    assert len(HATCHES) == len(MARKERS)


def test_a_legend_takes_as_many_rows_as_its_names_need():
    few = Legend(variants=((0, "a"), (1, "b")))
    many = Legend(variants=tuple((i, "a_long_name_of_a_variant") for i in range(8)), aside="x" * 60)
    assert few.height < many.height
    assert many.columns == 1
