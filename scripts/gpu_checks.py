"""The checks of docs/gpu.md: each says what it predicts, what it measured, and whether they agree.

What a check needs is a Rig; ``gpu_method.py`` builds one of a real GPU, the tests a scripted one.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence

from gpu_cache_checks import cache
from gpu_rig import Check, Outcome, Rig, outcome, us

from bench.analysis import limits
from bench.measure import nvml
from bench.measure.device import Block
from bench.measure.stream import METRONOME_CYCLES

PROVEN_SHARE, CUPTI_SHARE, CLOCK_SHARE, ENERGY_SHARE, FALSE_SHARE = 0.95, 0.02, 0.02, 0.10, 0.05
LOOKS = 20
LOAD_SIZE = 8192
_MINUTES = 120.0  # what a user waits for a whole run


def backlog(rig: Rig) -> Iterator[Outcome]:
    """The proof holds for short kernels, the time is theirs, and planted pauses are seen."""
    for seconds in (3e-6, 20e-6, 200e-6):
        block = rig.spin(seconds)
        samples = [rig.device.sample(block, 20) for _ in range(20)]
        share = statistics.mean("launch_bound" not in sample.flags for sample in samples)
        hot = statistics.median(sample.siblings["hot"] for sample in samples)
        bare = rig.device.stream.span(lambda block=block: block(20))  # type: ignore[misc]
        rig.torch.cuda.synchronize()
        name = f"backlog, {seconds * 1e6:.0f} us kernel"
        yield outcome(f"{name}: proven samples", f">= {PROVEN_SHARE:.0%}", f"{share:.0%}", share >= PROVEN_SHARE)
        yield outcome(
            f"{name}: device time per call",
            f"{us(seconds)}, up to 3 us more between kernels",
            f"{us(hot)} held, {us(bare.seconds / 20)} not held",
            0.97 * seconds <= hot <= 1.03 * seconds + 3e-6,
        )
    short = rig.spin(3e-6)
    for name, block in {
        "a pause of 0.5 s between launches": lambda n: (short(n), rig.wait(0.5), short(n)),
        "a wait for the GPU inside the call": lambda n: (short(n), rig.torch.cuda.synchronize(), short(n)),
    }.items():
        flags = rig.device.sample(block, 1).flags  # type: ignore[arg-type]
        yield outcome(
            f"backlog, planted: {name}", "launch_bound", ", ".join(flags) or "no flag", "launch_bound" in flags
        )


def queue(rig: Rig) -> Iterator[Outcome]:
    """After how many launches the host waits for the GPU: batches must stay below."""
    stream = rig.device.stream
    stream.hold(0.2)
    limit, launches = 8192, 0
    while launches < limit:
        before = rig.clock()
        rig.torch.cuda._sleep(1)
        if rig.clock() - before > 0.01:
            break
        launches += 1
    rig.torch.cuda.synchronize()
    yield outcome(
        "launches before the host waits",
        "about 1000, and no fewer than 500",
        f"{launches}" if launches < limit else f"none within {limit}",
        launches >= 500,
    )


def clock(rig: Rig) -> Iterator[Outcome]:
    """The metronome against the driver's SM clock at the same moments, without a load and under heavy matmuls."""
    yield _clocks(rig, "metronome against NVML's SM clock", rig.spin(1e-3))
    load = rig.matmul(LOAD_SIZE)
    rig.busy(load, 2.0)
    yield _clocks(rig, "the same between bf16 matmuls", load)


def _clocks(rig: Rig, check: str, load: Block) -> Outcome:
    """Medians of alternate questions: a spin amid the load, and the driver while the load still runs."""
    spins, told = list[float](), list[float]()
    for _ in range(LOOKS):
        load(10)
        spin = rig.device.stream.span(lambda: rig.torch.cuda._sleep(METRONOME_CYCLES))
        load(10)
        told += filter(None, [nvml.sm_clock_hz(rig.device.driver)])
        rig.torch.cuda.synchronize()
        spins.append(spin.seconds)
    predicted = f"medians of {LOOKS} within {CLOCK_SHARE:.0%}"
    if not told:
        return outcome(check, predicted, rig.device.driver.absent or "the driver does not tell", "not measured")
    metronome, driver = METRONOME_CYCLES / statistics.median(spins), statistics.median(told)
    return outcome(
        check,
        predicted,
        f"{metronome / 1e6:.0f} against {driver / 1e6:.0f} MHz",
        abs(metronome / driver - 1) <= CLOCK_SHARE,
    )


def held_back(rig: Rig) -> Iterator[Outcome]:
    """How many samples are flagged throttled, and which of the driver's counters rise meanwhile."""
    share, counters = _throttled(rig, rig.spin(1e-3))
    yield outcome(
        "samples flagged throttled without a load", f"<= {FALSE_SHARE:.0%}", f"{share:.0%}; {counters}",
        share <= FALSE_SHARE,
    )  # fmt: skip
    load = rig.matmul(LOAD_SIZE)
    rig.busy(load, 2.0)
    share, counters = _throttled(rig, load)
    yield outcome(
        f"bf16 matmuls of {LOAD_SIZE} flagged throttled", "a power cap may show", f"{share:.0%}; {counters}", "stated"
    )


def _throttled(rig: Rig, block: Block) -> tuple[float, str]:
    """The share of samples with the flag, and the counters that rose."""
    driver, start = rig.device.driver, rig.clock()
    before = dict(nvml.throttle_seconds(driver))
    flags = [rig.device.sample(block, 10).flags for _ in range(LOOKS)]
    after, seconds = nvml.throttle_seconds(driver), rig.clock() - start
    rose = [f"{reason} {after[reason] - s:.2f} s" for reason, s in before.items() if after.get(reason, s) > s]
    said = f"of {seconds:.2f} s held back: {', '.join(rose) or 'none'}" if before else "the driver has no counters"
    return statistics.mean("throttled" in found for found in flags), said


def planted(rig: Rig) -> Iterator[Outcome]:
    """What must never hide in a sample: memory from the driver, first calls, searches, loading."""
    torch, name = rig.torch, rig.device.torch_name

    def grow(calls: int) -> None:
        for _ in range(calls):
            torch.cuda.empty_cache()
            torch.zeros(64 << 18, dtype=torch.int32, device=name)

    flags = rig.device.sample(grow, 2).flags
    yield outcome("planted: memory from the driver", "allocated", ", ".join(flags) or "no flag", "allocated" in flags)
    for what, block in rig.first_calls().items():
        first = rig.device.once(block)
        steady = statistics.median(rig.device.once(block) for _ in range(10))
        yield outcome(
            f"first call: {what}",
            "at least twice a steady call",
            f"{first * 1e3:.2f} ms, then {steady * 1e3:.3f} ms",
            first >= 2 * steady,
        )


def ceilings(rig: Rig) -> Iterator[Outcome]:
    """The roofs of this run against the datasheet, and the refusal of what lies above."""
    found = rig.device.ceilings()
    gpu = rig.torch.cuda.get_device_properties(rig.device.torch_name).name
    roofs = limits.datasheet(gpu)
    for name, rate in found.items():
        if name == "flops":
            continue
        precision = name.removeprefix("flops(").removesuffix(")")
        peak = None if roofs is None else roofs.flops_per_second.get(precision, roofs.bytes_per_second)
        unit = "TB/s" if name == "bytes" else "TFLOP/s"
        yield outcome(
            f"ceiling: {'copy' if name == 'bytes' else precision + ' matmul'}",
            f"60 to 100 % of {peak / 1e12:.4g} {unit}" if peak else f"no datasheet of {gpu} is known",
            f"{rate / 1e12:.4g} {unit}" + (f", {rate / peak:.0%}" if peak else ""),
            0.6 <= rate / peak <= 1.0 if peak else "stated",
        )
    own = limits.measured(found)
    rate = 1.5 * found.get("flops(tf32)", found["flops(fp32)"])
    refusals = (
        limits.impossible_compute(own, "fp32", rate),
        limits.impossible_traffic(own, 1.5 * found["bytes"], 1e12, 0.0),
    )
    yield outcome(
        "planted: rates 1.5 times the roofs",
        "refused",
        "; ".join(filter(None, refusals)) or "let through",
        all(refusals),
    )


def process_cost(rig: Rig) -> Iterator[Outcome]:
    """What a worker costs until its libraries are loaded, and how many a two-minute run can afford."""
    workers = rig.process_seconds()
    seconds = statistics.median(sum(parts.values()) for parts in workers)
    parts = (f"{part} {statistics.median(parts[part] for parts in workers):.2f}" for part in workers[0])
    yield outcome(
        "a forked worker until its libraries are loaded",
        "0.2 to 5 s",
        f"{seconds:.2f} s ({', '.join(parts)}): two minutes afford {int(_MINUTES / seconds)}",
        0.2 <= seconds <= 5.0,
    )


def energy(rig: Rig) -> Iterator[Outcome]:
    """Energy of matmuls by the counter against power times time."""
    driver, block, powers = rig.device.driver, rig.matmul(LOAD_SIZE), list[float]()
    check, predicted = f"energy of bf16 matmuls of {LOAD_SIZE}", f"counter within {ENERGY_SHARE:.0%} of power x time"
    if nvml.energy_joules(driver) is None or nvml.power_watts(driver) is None:
        measured = driver.absent or "the driver has no counter"
        yield outcome(check, predicted, measured, "not measured")
        return
    idle = _idle_watts(rig)
    rig.busy(block, 1.5)  # the power reading is a mean over a second
    start, before = rig.clock(), nvml.energy_joules(driver) or 0.0
    calls = rig.busy(block, 3.0, lambda: powers.append(nvml.power_watts(driver) or 0.0))
    seconds, joules = rig.clock() - start, (nvml.energy_joules(driver) or 0.0) - before
    expected = statistics.mean(powers) * seconds
    yield outcome(
        check,
        predicted,
        f"{joules:.0f} against {expected:.0f} J; {(joules - idle * seconds) / calls:.3g} J a call above idle",
        abs(joules / expected - 1) <= ENERGY_SHARE,
    )


def _idle_watts(rig: Rig) -> float:
    before, start = nvml.energy_joules(rig.device.driver) or 0.0, rig.clock()
    rig.wait(2.0)
    return ((nvml.energy_joules(rig.device.driver) or 0.0) - before) / (rig.clock() - start)


def profiler(rig: Rig) -> Iterator[Outcome]:
    """Device time by events against kernel time by CUPTI, of the same calls."""
    sizes, predicted = (1024, 2048, 4096, 8192), f"within {CUPTI_SHARE:.0%}"
    tiny = rig.profiled(rig.spin(0.0), 20)
    found = [rig.profiled(rig.matmul(size), 20) for size in sizes]
    if tiny is None or None in found:
        yield outcome("events against CUPTI", predicted, "the profiler saw no kernels", "not measured")
        return
    between = tiny.event_seconds - tiny.kernel_seconds
    yield outcome("time between back-to-back kernels", "0 to 3 us", us(between), -0.5e-6 <= between <= 3e-6)
    for size, one in zip(sizes, filter(None, found), strict=True):
        difference = (one.event_seconds - between) / one.kernel_seconds - 1
        is_long = one.kernel_seconds >= 20e-6
        yield outcome(
            f"events against CUPTI, bf16 matmul of {size}",
            f"{predicted} of {us(one.kernel_seconds)}, less that time" if is_long else "below 20 us: stated",
            f"{us(one.event_seconds)}, {difference:+.1%}",
            abs(difference) <= CUPTI_SHARE if is_long else "stated",
        )


# The profiler last: CUPTI may stay attached, and slow down what follows.
CHECKS: tuple[Check, ...] = (
    backlog, queue, clock, held_back, cache, planted, ceilings, process_cost, energy, profiler,
)  # fmt: skip


def run(rig: Rig, checks: Sequence[Check] = CHECKS) -> list[Outcome]:
    """All checks; one that breaks is a failure of its own, and the others go on, until somebody ends it."""
    outcomes: list[Outcome] = []
    for check in checks:
        name = (check.__doc__ or check.__name__).split("\n")[0]
        try:
            rig.wake()
            outcomes += check(rig)
        except (Exception, KeyboardInterrupt) as error:
            said = f"{type(error).__name__}: {error}".split("\n")[0].rstrip(": ")
            outcomes.append(outcome(name, "an answer", said, "FAIL"))
            if isinstance(error, KeyboardInterrupt):
                break
    return outcomes
