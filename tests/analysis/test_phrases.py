import pytest

from bench.analysis.phrases import amount, change, percent


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.0, "0 %"), (0.041, "4.1 %"), (0.1234, "12 %"), (0.0004, "0.040 %"), (1e-7, "0.000010 %"), (-0.005, "-0.50 %")],
)
def test_a_share_has_two_digits_that_count(share: float, text: str) -> None:
    assert percent(share) == text


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ((1.041, 1.036, 1.047), "+4.1 % [3.6, 4.7]"),
        ((0.92, 0.90, 0.94), "-8.0 % [-10.0, -6.0]"),
        ((1.0412, 1.0408, 1.0416), "+4.12 % [4.08, 4.16]"),
        ((2.4, 2.35, 2.46), "2.40x [2.35, 2.46]"),
        ((0.4, 0.39, 0.41), "0.400x [0.390, 0.410]"),
        ((1.000064,), "+0.0064 %"),
        ((1.0, 1.0, 1.0), "+0.0 %"),
        ((1.25,), "+25.0 %"),
    ],
)
def test_a_ratio_is_a_change_in_percent_or_from_a_doubling_on_a_factor(numbers: tuple[float, ...], text: str) -> None:
    assert change(*numbers) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1.5 * 2**20, "B", "1.5 MiB"),
        (64, "B", "64 B"),
        (0, "B", "0 B"),
        (118e6, "FLOP", "118 MFLOP"),
        (1020 * 2**10, "B", "1020 KiB"),
        (999.7e6, "FLOP", "1000 MFLOP"),
        (118, "MAC", "118 MAC"),
        (3, "", "3"),
    ],
)
def test_an_amount_is_in_the_unit_people_read(value: float, unit: str, text: str) -> None:
    assert amount(value, unit) == text
