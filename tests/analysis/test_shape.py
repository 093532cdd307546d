import numpy as np
from numpy.typing import NDArray

from bench.analysis.shape import facts

RNG = np.random.default_rng


def normal(seed: int, processes: int = 12, rounds: int = 24) -> NDArray[np.float64]:
    rng = RNG(seed)
    return -7 + 0.05 * rng.normal(size=(processes, 1)) + 0.02 * rng.normal(size=(processes, rounds))


def of(logs: NDArray[np.float64]) -> tuple[str, ...]:
    return facts(logs, np.nanmedian(logs, axis=1))


def test_normal_noise_is_not_remarkable() -> None:
    remarks = [of(normal(seed, rounds=rounds)) for seed in range(200) for rounds in (5, 8, 24)]
    assert sum(map(bool, remarks)) <= 6  # of 600


def test_skewed_noise_has_no_two_modes() -> None:
    remarks = [of(np.log(1 + 0.05 * RNG(seed).exponential(size=(12, 24)))) for seed in range(200)]
    assert sum("modes" in fact for remark in remarks for fact in remark) <= 2


def test_a_heavy_tail_is_told_with_its_share() -> None:
    logs = normal(0)
    logs[:, 0] += np.log(3)
    (fact,) = of(logs)
    assert fact.startswith("heavy tail: 4.2 % of samples are far out, up to 3.")


def test_one_stray_sample_is_no_heavy_tail() -> None:
    logs = normal(0, processes=5, rounds=6)
    logs[0, 0] += 5
    assert of(logs) == ()


def test_two_modes_within_processes_are_told_with_their_distance() -> None:
    logs = normal(1)
    logs[:, ::3] += np.log(1.5)
    assert of(logs) == ("two modes within processes: 33 % of samples take 51 % longer",)


def test_two_modes_are_seen_beside_missing_samples() -> None:
    logs = normal(1)
    logs[:, ::3] += np.log(1.5)
    logs[3] = np.nan
    logs[:, 5] = np.nan
    assert facts(logs, np.zeros(11))[0].startswith("two modes within processes")


def test_two_modes_between_processes_are_told_with_their_number() -> None:
    logs = normal(2)
    logs[:4] += np.log(2)
    assert of(logs) == ("two modes between processes: 4 of 12 take 88 % longer",)


def test_modes_that_nobody_would_care_for_are_not_told() -> None:
    logs = -7 + 0.0001 * RNG(0).normal(size=(12, 24))
    logs[:, ::2] += 0.005
    assert of(logs) == ()


def test_equal_samples_are_not_remarkable() -> None:
    assert of(np.full((12, 24), -7.0)) == ()
