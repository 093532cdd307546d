import dataclasses

import pytest
from builders import estimate, record, samples
from stories import hostile, story

from bench.report.arrange import Cell, Row, Section, sections
from bench.report.series import (
    courses,
    limits,
    lines,
    margin,
    metronome_courses,
    places,
    rates,
    ratios,
    read_as_factors,
    share_of_ceiling,
    span,
    taken,
)


@pytest.fixture
def section() -> Section:
    return sections(story())[0]


def with_records(section: Section, *records: object) -> Section:
    cell = Cell(case=section.rows[0].cells[0].case, records=records, estimates=section.rows[0].cells[0].estimates)
    return dataclasses.replace(section, rows=(Row(name="g", point="", device="cpu", cells=(cell,)),))


def test_lines_go_point_by_point_and_phase_by_phase_without_what_failed(section: Section):
    found = lines(section, "time/{phase}")
    assert [line.label for line in found] == ["c=16 forward", "c=16 backward", "c=64 forward", "c=64 backward"]
    assert [[n for n, _ in line.estimates] for line in found] == [[0, 1], [0, 1], [0], [0]]


def test_ratios_leave_out_the_baseline_and_rows_without_comparison(section: Section):
    assert [(line.label, len(line.estimates)) for line in ratios(section)] == [
        ("c=16 forward", 1),
        ("c=16 backward", 1),
    ]


def test_the_margin_is_the_widest_of_the_claims_on_time(section: Section):
    assert margin(section) == 0.01
    assert margin(sections(story())[1]) == 0.0


def test_factors_are_read_where_something_doubles(section: Section):
    assert not read_as_factors(ratios(section))
    doubled = estimate("bias", value=1.0, ratio=2.0)
    line = dataclasses.replace(ratios(section)[0], estimates=((1, doubled),))
    assert read_as_factors([line])


def test_rates_are_shown_against_ceilings_that_were_measured(section: Section):
    rows, roofs = rates(section, {"flops": 6.4e10})
    assert rows[0].label == "c=16 forward, FLOP/s"
    assert roofs == ("fastest matmul, 64.0 GFLOP/s",)
    assert share_of_ceiling(rows[0].estimates[0][1], {"flops": 6.4e10}) == 50
    assert rates(section, {}) == ((), ())


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_a_rate_in_16_bits_is_shown_against_a_matmul_in_16_bits(section: Section, dtype: str):
    def halved(cell: Cell) -> Cell:
        case = dataclasses.replace(cell.case, point=(("dtype", dtype),))
        estimates = {name: dataclasses.replace(e, case=case) for name, e in cell.estimates.items()}
        return dataclasses.replace(cell, estimates=estimates)

    first = dataclasses.replace(section.rows[0], cells=tuple(map(halved, section.rows[0].cells)))
    mixed = dataclasses.replace(section, rows=(first, *section.rows[1:]))
    ceilings = {"flops": 6.4e10, "flops(bf16)": 1.28e11}
    rows, roofs = rates(mixed, ceilings)
    assert roofs == ("fastest matmul (bf16), 128 GFLOP/s", "fastest matmul, 64.0 GFLOP/s")
    assert share_of_ceiling(rows[0].estimates[0][1], ceilings) == 25
    assert share_of_ceiling(rows[0].estimates[0][1], {"flops": 6.4e10}) == 50


def test_variants_of_a_row_stand_about_its_middle(section: Section):
    found = [(y, n) for y, n, _ in places(lines(section, "time/{phase}")[:2])]
    assert found == [(-0.2, 0), (0.2, 1), (0.8, 0), (1.2, 1)]


def test_samples_are_taken_by_process_with_their_flags(section: Section):
    label, variants = taken(section)[0]
    assert label == "c=16 forward"
    assert [v.number for v in variants] == [0, 1]
    flagged = [process for process, _, is_flagged in variants[0].samples() if is_flagged]
    assert flagged == [2]
    assert len(list(variants[0].samples())) == 48
    assert list(variants[0].middles()) == [1, 2, 3, 4, 5, 6]


def test_samples_that_are_no_numbers_are_not_drawn(section: Section):
    odd = record("no_bias", [0.001, float("nan"), float("inf")])
    (_, (variant,)), *_ = taken(with_records(section, odd))
    assert [t for _, t, _ in variant.samples()] == [0.001]


def test_limits_show_the_valid_samples_and_not_the_flagged_ones(section: Section):
    seconds = [1.0, 1.1, 9.0]
    flags = ((), (), ("preempted",))
    odd = record("no_bias", samples=(samples(seconds, flags=flags),))
    (_, variants), *_ = taken(with_records(section, odd))
    assert limits(variants) == pytest.approx((0.97, 1.13))


def test_limits_of_equal_samples_have_an_extent(section: Section):
    (_, variants), *_ = taken(with_records(section, record("no_bias", [2.0, 2.0])))
    low, high = limits(variants)
    assert low < 2.0 < high


def test_a_course_is_percent_away_from_its_own_middle(section: Section):
    slow = with_records(section, *(record("no_bias", [t, t], process=p) for p, t in ((1, 1.0), (2, 1.1), (3, 0.9))))
    ((number, course),) = courses(slow)
    assert number == 0
    assert course.processes == (1, 2, 3)
    assert course.percents == pytest.approx((0, 10, -10))


def test_one_process_has_no_course(section: Section):
    assert courses(with_records(section, record("no_bias", [1.0, 2.0]))) == ()


def test_a_metronome_is_taken_from_one_variant_of_each_group(section: Section):
    ((name, course),) = metronome_courses(section)
    assert name == "hash"
    assert course.processes == (1, 2, 3, 4, 5, 6)
    assert metronome_courses(sections(story())[1]) == ()


def test_the_span_is_said_where_the_records_know_it(section: Section):
    assert span(section) == "03:04:00 to 03:04:06 UTC"
    assert span(sections(hostile())[0]) == ""
