"""The checks of METHOD section 6: each says what it predicts, what it measured, and whether they agree.

What a check needs is a Rig; ``gpu_method.py`` builds one of a real GPU, the tests a scripted one.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from bench.analysis import limits
from bench.measure import nvml
from bench.measure.cuda import Cuda
from bench.measure.device import Block
from bench.measure.stream import METRONOME_CYCLES, Flush

Verdict = Literal["pass", "FAIL", "stated", "not measured"]
PROVEN_SHARE, CUPTI_SHARE, CLOCK_SHARE, ENERGY_SHARE = 0.95, 0.02, 0.02, 0.10


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One line of the table."""

    check: str
    predicted: str
    measured: str
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Rig:
    """A GPU and what the checks need besides: all of it scripted in the tests.

    kernel_seconds: mean device seconds of the kernels of n calls as the profiler (CUPTI) tells; process_seconds: a
    fresh Python with torch until its first kernel is done; first_calls: name -> a call never made in this process.
    """

    torch: Any
    device: Cuda
    clock: Callable[[], float]
    wait: Callable[[float], None]
    kernel_seconds: Callable[[Block, int], float]
    process_seconds: Callable[[], float]
    first_calls: Callable[[], dict[str, Block]]

    def spin(self, seconds: float) -> Block:
        """A kernel of known length: the spin that also holds the stream."""
        clock_hz = METRONOME_CYCLES / self.device.stream.spin_seconds(METRONOME_CYCLES)
        cycles = int(seconds * clock_hz)
        return repeated(lambda: self.torch.cuda._sleep(cycles))

    def matmul(self, size: int) -> Block:
        """A bf16 matmul of random matrices."""
        torch, name = self.torch, self.device.torch_name
        a, b = (torch.randn(size, size, device=name).to(torch.bfloat16) for _ in range(2))
        return repeated(lambda: torch.mm(a, b))

    def busy(self, block: Block, seconds: float, during: Callable[[], None] = lambda: None) -> int:
        """Call back to back for so long; how many calls it were."""
        start, calls = self.clock(), 0
        while self.clock() - start < seconds:
            block(20)
            calls += 20
            during()
            self.torch.cuda.synchronize()
        return calls


Check = Callable[[Rig], Iterable[Outcome]]


def repeated(call: Callable[[], object]) -> Block:
    def block(calls: int) -> None:
        for _ in range(calls):
            call()

    return block


def outcome(check: str, predicted: str, measured: str, agrees: bool | Verdict) -> Outcome:
    """``agrees``: whether measured is as predicted, or the verdict where that is not the question."""
    said: Verdict = agrees if isinstance(agrees, str) else "pass" if agrees else "FAIL"
    return Outcome(check=check, predicted=predicted, measured=measured, verdict=said)


def us(seconds: float) -> str:
    return f"{seconds * 1e6:.2f} us"


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


def profiler(rig: Rig) -> Iterator[Outcome]:
    """Device time by events against kernel time by CUPTI."""
    tiny = rig.spin(0.0)
    overhead = _hot(rig, tiny) - rig.kernel_seconds(tiny, 20)
    yield outcome("time between back-to-back kernels", "0 to 3 us", us(overhead), -0.5e-6 <= overhead <= 3e-6)
    for size in (1024, 2048, 4096, 8192):
        block = rig.matmul(size)
        kernel, event = rig.kernel_seconds(block, 20), _hot(rig, block)
        difference = (event - overhead) / kernel - 1
        is_long = kernel >= 20e-6
        yield outcome(
            f"events against CUPTI, bf16 matmul of {size}",
            f"within {CUPTI_SHARE:.0%} of {us(kernel)}, less that time" if is_long else "below 20 us: stated",
            f"{us(event)}, {difference:+.1%}",
            abs(difference) <= CUPTI_SHARE if is_long else "stated",
        )


def _hot(rig: Rig, block: Block) -> float:
    block(3)
    return statistics.median(rig.device.sample(block, 20).siblings["hot"] for _ in range(5))


def clock(rig: Rig) -> Iterator[Outcome]:
    """The metronome against the driver's SM clock, at rest and after two seconds of heavy matmuls."""
    rig.busy(rig.spin(1e-3), 0.5)  # an idle GPU clocks down
    yield _clocks(rig, "metronome against NVML's SM clock")
    counted = dict(nvml.throttle_seconds(rig.device.driver))
    rig.busy(rig.matmul(8192), 2.0)
    yield _clocks(rig, "the same after 2 s of bf16 matmuls")
    now = nvml.throttle_seconds(rig.device.driver)
    held = {reason: f"{now[reason] - before:.2f} s" for reason, before in counted.items() if now[reason] > before}
    yield outcome(
        "held back during these 2 s",
        "a power cap may show",
        str(held or "not at all"),
        "stated" if counted else "not measured",
    )


def _clocks(rig: Rig, check: str) -> Outcome:
    spin = rig.spin(0.02)
    told: list[float] = []

    def ask() -> None:
        value = nvml.sm_clock_hz(rig.device.driver)
        told.extend([value] if value else [])

    metronome = METRONOME_CYCLES / rig.device.metronomes()["sm_clock"]
    rig.busy(spin, 0.3, ask)
    predicted = f"within {CLOCK_SHARE:.0%}"
    if not told:
        reason = rig.device.driver.absent or "the driver does not tell"
        return outcome(check, predicted, reason, "not measured")
    driver = statistics.median(told)
    return outcome(
        check,
        predicted,
        f"{metronome / 1e6:.0f} against {driver / 1e6:.0f} MHz",
        abs(metronome / driver - 1) <= CLOCK_SHARE,
    )


def cache(rig: Rig) -> Iterator[Outcome]:
    """A canary a quarter of the L2: what is left of it after flushes, and whether a flush leaves dirty lines."""
    torch, name = rig.torch, rig.device.torch_name
    l2_bytes = rig.device.flush().l2_bytes
    canary = torch.zeros(l2_bytes // 16, dtype=torch.int32, device=name)
    total = torch.zeros((), dtype=torch.int64, device=name)

    def read() -> object:
        return torch.sum(canary, dim=0, out=total)

    flushes: dict[str, Callable[[], object]] = {"no flush": read}
    flushes |= {f"{factor}x": Flush(torch, name, factor) for factor in (1, 2, 4)}
    flushes["2x, writes alone"] = Flush(torch, name, 2).dirty
    times = {flush: _after(rig, before, read) for flush, before in flushes.items()}
    said = ", ".join(f"{flush}: {us(seconds)}" for flush, seconds in times.items())
    yield outcome(
        "L2: a canary read hot and after flushes",
        "2x as cold as 4x within 5 %, hot at least 1.2 times faster",
        said,
        abs(times["2x"] / times["4x"] - 1) <= 0.05 and times["2x"] >= 1.2 * times["no flush"],
    )
    yield outcome(
        "L2: the flush leaves nothing to write back",
        "not slower than after writes alone",
        f"{us(times['2x'])} against {us(times['2x, writes alone'])}",
        times["2x"] <= 1.02 * times["2x, writes alone"],
    )


def _after(rig: Rig, before: Callable[[], object], call: Callable[[], object]) -> float:
    """Median device seconds of a call, each time after ``before``."""
    spans = []
    for _ in range(30):
        rig.device.stream.hold(300e-6)
        before()
        spans.append(rig.device.stream.span(call))
    rig.torch.cuda.synchronize()
    return statistics.median(span.seconds for span in spans)


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
    """What a process costs, and how many a two-minute run can afford."""
    seconds = statistics.median(rig.process_seconds() for _ in range(3))
    yield outcome(
        "a fresh process to its first kernel",
        "1 to 10 s with importing torch",
        f"{seconds:.2f} s: {int(60 / seconds)} fit into half of a two-minute run",
        "stated",
    )


def energy(rig: Rig) -> Iterator[Outcome]:
    """Energy of matmuls by the counter against power times time."""
    driver, block, powers = rig.device.driver, rig.matmul(8192), list[float]()
    check, predicted = "energy of bf16 matmuls of 8192", f"counter within {ENERGY_SHARE:.0%} of power x time"
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


CHECKS: tuple[Check, ...] = (backlog, queue, profiler, clock, cache, planted, ceilings, process_cost, energy)


def run(rig: Rig, checks: Sequence[Check] = CHECKS) -> list[Outcome]:
    """All checks; one that breaks is a failure of its own, and the others go on."""
    outcomes: list[Outcome] = []
    for check in checks:
        name = (check.__doc__ or check.__name__).split("\n")[0]
        try:
            outcomes += check(rig)
        except Exception as error:
            said = f"{type(error).__name__}: {error}".split("\n")[0]
            outcomes.append(outcome(name, "an answer", said, "FAIL"))
    return outcomes
