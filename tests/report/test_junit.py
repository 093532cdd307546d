from collections.abc import Callable
from xml.etree import ElementTree

from stories import hostile, nothing, story

from bench.report.junit import junit


def test_a_run_reads_as_accepted(golden: Callable[[str, str], None]):
    golden("report/junit.xml", junit(story()))


def test_refuted_claims_fail_undecided_ones_are_skipped_and_broken_cases_are_errors():
    suites = {s.get("name"): s for s in ElementTree.fromstring(junit(story()))}
    counts = {name: [s.get(k) for k in ("tests", "failures", "errors", "skipped")] for name, s in suites.items()}
    assert counts == {
        "conv/bias_before_bn": ["7", "0", "1", "3"],
        "conv/rounding": ["1", "1", "0", "0"],
        "conv/cudnn": ["0", "0", "0", "0"],
    }


def test_hostile_names_stay_text():
    root = ElementTree.fromstring(junit(hostile()))
    assert [child.tag for child in root.iter("script")] == []
    assert "<script>" in root[0].get("name", "")


def test_an_empty_run_is_an_empty_suite():
    (suite,) = ElementTree.fromstring(junit(nothing()))
    assert suite.get("tests") == "0"
