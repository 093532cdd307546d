from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stories import HOSTILE

from bench.report.svg import Scale, crosses, dots, element, legend, mark, number, picture, text


@given(
    st.floats(min_value=1e-6, max_value=1e6),
    st.floats(min_value=1.001, max_value=1e6),
    st.floats(allow_nan=False, allow_infinity=False, min_value=1e-9),
    st.booleans(),
)
def test_a_scale_stays_between_its_ends(low: float, factor: float, value: float, is_log: bool):
    scale = Scale(low=low, high=low * factor, start=10, end=110, is_log=is_log)
    assert 10 <= scale.at(value) <= 110
    assert scale.at(scale.low) == pytest.approx(10)
    assert scale.at(scale.high) == pytest.approx(110)


@given(
    st.floats(min_value=1e-6, max_value=1e6),
    st.floats(min_value=1.01, max_value=1e4),
    st.integers(min_value=3, max_value=9),
)
def test_ticks_are_few_and_inside(low: float, factor: float, most: int):
    for is_log in (False, True):
        ticks = Scale(low=low, high=low * factor, start=0, end=1, is_log=is_log).ticks(most)
        assert len(ticks) <= most + 1
        assert all(low * (1 - 1e-6) <= t <= low * factor * (1 + 1e-6) for t in ticks)


def test_ticks_are_round():
    assert Scale(low=-2.1, high=4.4, start=0, end=1).ticks() == (-2, 0, 2, 4)
    assert Scale(low=0.9, high=1100, start=0, end=1, is_log=True).ticks(4) == (1, 10, 100, 1000)


def test_a_scale_without_extent_stands_in_the_middle():
    assert Scale(low=3, high=3, start=0, end=10).at(3) == 5
    assert Scale(low=3, high=3, start=0, end=10).ticks() == (3,)


def test_coordinates_are_short():
    assert [number(v) for v in (1.0, 1.25, 12.34567)] == ["1", "1.2", "12.3"]


def test_text_and_attributes_are_escaped():
    drawn = picture(10, 10, HOSTILE, [text(1, 2, HOSTILE), element("g", class_='"><script>')])
    root = ElementTree.fromstring(drawn)
    assert [child.tag for child in root] == ["title", "text", "g"]
    assert root[1].text == root[0].text
    assert "\x1b" not in drawn


def test_dots_on_one_pixel_are_drawn_once():
    assert dots([(1.1, 2.0), (0.9, 2.2), (3.0, 4.0)], "d0") == '<path d="M1 2h0M3 4h0" class="d0"/>'
    assert crosses([(3, 4), (3.1, 4)], "flag") == '<path d="M1 2l4 4m0-4l-4 4" class="flag"/>'
    assert dots([], "d0") == ""


def test_variants_differ_in_shape_and_not_only_in_colour():
    shapes = {mark(0, 0, n).split('"')[1] for n in range(8)}
    assert len(shapes) == 8


def test_a_picture_has_a_name_and_decoration_has_none():
    assert 'role="img"' in picture(1, 1, "a chart", [])
    assert 'aria-hidden="true"' in picture(1, 1, "", [])
    assert "bias" in legend([(0, "no_bias"), (1, "bias")])
