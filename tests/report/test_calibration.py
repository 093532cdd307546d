import io
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from builders import case
from PIL import Image
from rich.console import Console

from bench.analysis.rates import Calibration, CaseCalibration, Injected, Rate
from bench.report.calibration import show, write_picture
from bench.report.style import DOTS_PER_INCH, WIDTH

NONE = Rate(hits=0, pairs=15, low=0.0, high=0.52)


def told(of: str, metric: str, smallest: float, **fields: object) -> CaseCalibration:
    visible = (0.02, 0.025, smallest)
    known = {"adjusted": True, "between_runs": 0.004, "floor": 0.0, "false_alarms": NONE}
    return CaseCalibration(
        case=of,
        metric=metric,
        smallest_change=smallest,
        visible=visible,
        injected=(found(7, 9),),
        **{**known, **fields},
    )


def found(hits: int, pairs: int) -> Injected:
    return Injected(share=0.05, found=Rate(hits=hits, pairs=pairs, low=0.3, high=0.98))


def calibration() -> Calibration:
    wide = case("bias", point={"c": 512, "hw": 224, "n": 16}).id
    return Calibration(
        machine={"cpu": "Test CPU"},
        runs=6,
        asked_floor=0.02,
        fdr=0.01,
        false_alarms=Rate(hits=1, pairs=15, low=0.002, high=0.52),
        cases=(
            told(case().id, "time/forward", 0.034),
            told(case().id, "time/backward", 0.051, between_runs=0.0312),
            told(wide, "time/forward", 0.12, false_alarms=Rate(hits=1, pairs=15, low=0.001, high=0.6)),
        ),
        injected=(found(21, 27),),
    )


def printed(of: Calibration, width: int) -> str:
    console = Console(file=io.StringIO(), width=width)
    show(of, console)
    return console.file.getvalue()


def texts(path: Path) -> list[str]:
    root = ElementTree.fromstring(path.read_bytes())
    return ["".join(e.itertext()).strip() for e in root.iter() if e.tag.endswith("}text")]


def test_the_table_reads_as_accepted(golden: Callable[[str, str], None]):
    golden("report/calibration-100.txt", printed(calibration(), 100))


@pytest.mark.parametrize("width", [40, 80])
def test_no_line_is_wider_than_the_terminal(width: int):
    assert max(map(len, printed(calibration(), width).splitlines())) <= width


def test_two_runs_say_that_they_are_too_few():
    assert ">=" in printed(calibration(), 100)
    two = tuple(replace(c, smallest_change=None) for c in calibration().cases)
    assert printed(replace(calibration(), runs=2, cases=two), 100).count("needs 3 runs") == 3


def test_hostile_names_stay_text():
    cases = tuple(replace(c, case="\x1b[31m[bold]x\u202e") for c in calibration().cases)
    text = printed(replace(calibration(), cases=cases), 100)
    assert "\\x1b[31m[bold]x\\u202e" in text
    assert "\x1b" not in text


def test_nothing_planted_is_no_column_and_no_dot(tmp_path: Path):
    plain = replace(calibration(), injected=(), cases=tuple(replace(c, injected=()) for c in calibration().cases))
    assert "found" not in printed(plain, 100)
    assert "planted" not in printed(plain, 100)
    svg, _ = write_picture(plain, tmp_path)
    assert not [text for text in texts(svg) if "planted" in text]


def test_the_picture_says_what_it_shows_and_is_not_blank(tmp_path: Path, golden: Callable[[str, str], None]):
    svg, png = write_picture(calibration(), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"calibration.svg", "calibration.png"}
    golden("report/plot-calibration.txt", "\n".join(texts(svg)) + "\n")
    with Image.open(png) as image:
        assert image.width == round(WIDTH * DOTS_PER_INCH)
        assert len(image.convert("RGB").getcolors(1 << 24)) > 10


def test_no_word_of_the_picture_is_cut(tmp_path: Path):
    """Columns of pixels at the edges are white: nothing sticks out."""
    _, png = write_picture(calibration(), tmp_path)
    with Image.open(png) as image:
        grey = image.convert("L")
        for left in (0, image.width - 1):
            edge = grey.crop((left, 0, left + 1, image.height))
            assert edge.getextrema() == (255, 255)


def test_the_same_calibration_gives_the_same_picture(tmp_path: Path):
    first = [path.read_bytes() for path in write_picture(calibration(), tmp_path)]
    assert [path.read_bytes() for path in write_picture(calibration(), tmp_path)] == first
    assert not re.search(rb"\d{4}-\d{2}-\d{2}T", first[0])
