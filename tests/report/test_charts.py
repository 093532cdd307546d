import dataclasses
import re

import pytest
from stories import story

from bench.model import Verdict
from bench.report.arrange import sections
from bench.report.charts import (
    course_chart,
    effect_picture,
    memory_chart,
    rate_chart,
    ratio_chart,
    samples_chart,
)
from bench.report.series import taken

TIMED, CHECKED, _ = sections(story())
VERDICT = story().verdicts[0]


def middle(verdict: Verdict) -> float:
    """Where the point of an effect stands."""
    return float(re.search(r'cx="([\d.]+)"', effect_picture(verdict))[1])


def test_effects_stand_on_one_scale_about_the_baseline():
    ratios = (0.05, 0.5, 0.99, 1.0, 1.01, 1.02, 2.0, 20.0)
    found = [middle(dataclasses.replace(VERDICT, ratio=r, low=r, high=r)) for r in ratios]
    assert found == sorted(found)
    assert found[3] == 60
    assert found[0] == pytest.approx(3)  # ten times and more stand at the edge
    assert found[-1] == pytest.approx(117)


def test_a_verdict_without_a_ratio_has_no_picture():
    assert effect_picture(dataclasses.replace(VERDICT, ratio=None)) == ""
    assert effect_picture(dataclasses.replace(VERDICT, ratio=0.0)) == ""


def test_what_was_not_measured_is_not_drawn():
    drawn = (ratio_chart(CHECKED), memory_chart(CHECKED), rate_chart(CHECKED, {"flops": 1.0}), course_chart(CHECKED))
    assert drawn == ("", "", "", "")
    assert rate_chart(TIMED, {}) == ""


def test_a_chart_says_its_axis_and_its_variants():
    assert "time against no_bias; left is faster; 95 % intervals" in ratio_chart(TIMED)
    assert "100 %: fastest matmul, 60.0 GFLOP/s" in rate_chart(TIMED, {"flops": 6e10})
    assert "process, in the order of the run; metronomes in grey: hash" in course_chart(TIMED)
    assert memory_chart(TIMED).count("1.50 MiB") == 6
    assert "no_bias" in memory_chart(TIMED)


def test_the_shade_is_the_margin_of_the_claims():
    assert 'class="band"' in ratio_chart(TIMED)


def test_fewer_levels_make_a_smaller_chart():
    label, variants = taken(TIMED)[0]
    assert len(samples_chart(label, variants, 8)) < len(samples_chart(label, variants, 86))
    assert samples_chart(label, variants, 8).count('class="flag"') == 2
