from builders import case
from stories import nothing, story

from bench.report.arrange import findings, sections


def test_sections_follow_the_manifest_and_rows_the_points():
    timed, checked, skipped = sections(story())
    assert [s.name for s in (timed, checked, skipped)] == ["conv/bias_before_bn", "conv/rounding", "conv/cudnn"]
    assert [row.point for row in timed.rows] == ["c=16", "c=64"]
    assert [cell.case.variant for cell in timed.rows[0].cells] == ["no_bias", "bias"]
    assert skipped.rows == ()


def test_what_all_points_share_is_said_once():
    timed, checked, _ = sections(story())
    assert timed.common == "n=4"
    assert checked.common == "n=2"
    assert checked.rows[0].point == ""


def test_only_phases_that_were_timed_are_shown():
    timed, checked, skipped = sections(story())
    assert timed.phases == ("forward", "backward")
    assert checked.phases == skipped.phases == ()


def test_a_case_keeps_its_records_in_the_order_of_processes():
    (cell, *_) = sections(story())[0].rows[0].cells
    assert [record.process for record in cell.records] == list(range(7))


def test_a_broken_case_tells_its_problem():
    cells = sections(story())[0].rows[1].cells
    assert cells[0].problem is None
    assert cells[1].problem is not None
    assert cells[1].problem.status == "oom"


def test_a_run_without_records_is_arranged_too():
    (section,) = sections(nothing())
    assert [len(row.cells) for row in section.rows] == [2]


def test_an_unknown_variant_has_a_number_of_its_own():
    section = sections(story())[0]
    assert [section.number(v) for v in ("no_bias", "bias", "?")] == [0, 1, 2]
    assert section.numbered([2, 0]) == ((0, "no_bias"), (2, "other"))


def test_findings_begin_with_the_benchmark_that_was_refuted():
    found = findings(sections(story()))
    assert [(f.benchmark, f.claim.metric, f.decision) for f in found] == [
        ("conv/rounding", "output", "refuted"),
        ("conv/bias_before_bn", "time", "undecided"),
        ("conv/bias_before_bn", "time", "confirmed"),
        ("conv/bias_before_bn", "memory/peak", "confirmed"),
        ("conv/bias_before_bn", "output", "confirmed"),
    ]


def test_a_finding_counts_all_judgements_of_its_claim():
    found = [f for f in findings(sections(story())) if f.claim.metric == "time"]
    assert [(len(f.verdicts), f.judged) for f in found] == [(2, 3), (1, 3)]
    assert found[0].verdicts[0].case == case("bias", point={"c": 16, "n": 4})  # the larger effect speaks
