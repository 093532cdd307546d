"""Turns flags, statuses and numbers into words: the one place where a warning becomes a sentence with a remedy."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Sequence

from bench.analysis import phrases
from bench.analysis.determinism_words import shown
from bench.metrics import metric
from bench.model import Check, Estimate

# What each flag says of its samples, and what the reader can do about it.
FLAGS: dict[str, str] = {
    "preempted": "another program took the core away; close what else runs, or pin with taskset",
    "page_faults": "the system handed out fresh memory while timing; give the case more warm-up or free memory",
    "stolen": "the hypervisor gave the core to another machine; use a dedicated or an idle host",
    "launch_bound": "the GPU waited for Python, so this is the cost of launching; use a larger point",
    "throttled": "the GPU lowered its clocks (power or heat); lock them with nvidia-smi -lgc, or cool it",
    "allocated": "the caching allocator asked the driver for memory while timing; free memory or warm up longer",
    "contended": "another process used the GPU; stop it (nvidia-smi lists it)",
}
STATUSES: dict[str, str] = {
    "ok": "measured",
    "skipped": "skipped",
    "failed": "failed",
    "oom": "out of memory; use a smaller point or a device with more memory",
    "timeout": "took longer than its time limit; use a smaller point",
    "invalid": "no trustworthy number",
}
STOPS: dict[str, str] = {
    "precise": "as precise as asked",
    "budget": "the time ran out before it was as precise as asked; raise --budget",
    "unstable": "too unsteady to become as precise as asked in time; quieten the machine, or ask less of --precision",
    "": "",
}
DECISIONS: dict[str, str] = {
    "refuted": "shown to be false here",
    "undecided": "neither shown nor refuted",
    "confirmed": "shown to hold here",
    "not applicable": "says nothing about this device or point",
}
REPEATABILITY: dict[str, str] = {
    "differs": "differs from repeat to repeat",
    "mutates": "changes its own input",
    "random": "random, and repeats from the same seed",
    "repeats": "repeats bit for bit",
}

_SECONDS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns"))
BYTES = (*phrases.BYTES, (1.0, "B"))
_COUNTS = ((1e15, "P"), *phrases.COUNTS, (1.0, ""))
NOTHING = "–"


def escape(text: object, longest: int = 200) -> str:
    r"""Text that can harm no terminal, table or picture: controls and direction marks become ``\x1b``, ``\u202e``.

    Longer texts lose their middle, visibly.
    """
    plain = shorten(str(text), longest)
    return "".join(c if unicodedata.category(c) not in _UNSEEN else _visible(c) for c in plain)


# Controls, formats (direction marks among them), lone surrogates, private use, line and paragraph separators.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def _visible(character: str) -> str:
    named = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
    number = ord(character)
    width = "x{:02x}" if number < 0x100 else "u{:04x}" if number < 0x10000 else "U{:08x}"
    return named.get(character, "\\" + width.format(number))


def shorten(text: str, longest: int) -> str:
    """At most ``longest`` characters; what is cut goes from the middle, since names differ at both ends."""
    if len(text) <= longest:
        return text
    tail = (longest - 1) // 2
    return f"{text[: longest - 1 - tail]}…{text[len(text) - tail :]}"


def quantity(value: float | str | None, unit: str) -> str:
    """A value with its unit as people read it: ``2.71 ms``, ``1.50 MiB``, ``3.20 GFLOP/s``; a dash for none."""
    if value is None:
        return NOTHING
    if isinstance(value, str):
        return escape(value, 16)
    if not math.isfinite(value):
        return NOTHING
    if value == 0:
        return f"0 {unit}".rstrip()
    if unit == "s":
        return _scaled(value, _SECONDS)
    if unit == "B":
        return _scaled(value, BYTES)
    return _scaled(value, _COUNTS, unit)


def _scaled(value: float, steps: Sequence[tuple[float, str]], unit: str = "") -> str:
    # 0.9995: so that 999.7 us is 1.00 ms, not 1000 us.
    size, name = next((step for step in steps if abs(value) >= step[0] * 0.9995), steps[-1])
    is_count = size == 1.0 and value == int(value) and abs(value) < 1000 and name != "s"
    number = str(int(value)) if is_count else _three_digits(value / size)
    return f"{number} {name}{unit}".rstrip()


def _three_digits(number: float) -> str:
    """Three digits that count: ``2.71``, ``27.1``, ``271``."""
    exponent = int(f"{abs(number):.2e}".split("e")[1])
    return f"{number:.{max(0, 2 - exponent)}f}"


def duration(seconds: float) -> str:
    """A span of waiting: ``45 s``, ``3 min 20 s``, ``1 h 5 min``."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def share(fraction: float) -> str:
    """A share of a whole: ``12 %``, ``0.4 %``; what is more than nothing is never ``0 %``."""
    percent = fraction * 100
    if 0 < percent < 0.1:
        return "<0.1 %"
    return f"{percent:.1f} %" if 0 < percent < 10 and round(percent, 1) != round(percent) else f"{percent:.0f} %"


def change(ratio: float | None, low: float | None = None, high: float | None = None) -> str:
    """A ratio to the baseline with its interval: ``+4.1 % [3.6, 4.7]``; from a doubling on ``2.40x [2.35, 2.46]``."""
    if ratio is None or not math.isfinite(ratio):
        return NOTHING
    return "0 %" if ratio == 1 and low == high else phrases.change(ratio, low, high)


def percent_tick(ratio: float) -> str:
    """A ratio on an axis: ``+5 %``, ``0 %``."""
    percent = round((ratio - 1) * 100, 6)
    return f"{percent:+g} %" if percent else "0 %"


def effect(estimate: Estimate) -> str:
    """An estimate's distance from its baseline."""
    return "baseline" if estimate.case.is_baseline else change(estimate.ratio, estimate.ratio_low, estimate.ratio_high)


def value_of(estimate: Estimate | None) -> str:
    """An estimate's value, or the one word that says why there is none."""
    if estimate is None:
        return NOTHING
    return quantity(estimate.value, metric(estimate.metric).unit) if estimate.status == "ok" else estimate.status


def interval_of(estimate: Estimate) -> str:
    """An estimate's interval: ``2.68 to 2.74 ms``."""
    if estimate.status != "ok" or estimate.low is None or estimate.high is None:
        return NOTHING
    unit = metric(estimate.metric).unit
    low, high = quantity(estimate.low, unit), quantity(estimate.high, unit)
    same_unit = low.split(" ")[-1] == high.split(" ")[-1]
    return f"{low.split(' ')[0] if same_unit else low} to {high}"


def checked(checks: Iterable[Check], what: str) -> str:
    """How ``output`` or ``gradient`` compares with the baseline's: ``identical``, ``close 3.8e-07``."""
    found = [check for check in checks if check.level == "numeric" and check.what == what]
    if not found:
        return NOTHING
    check = found[0]
    return check.verdict if not check.error else f"{check.verdict} {check.error:.2g}"


def by_verdict(check: Check) -> int:
    """Sorts determinism checks, the worst first."""
    order = list(REPEATABILITY)
    return order.index(check.verdict) if check.verdict in order else len(order)


def repeated(checks: Iterable[Check]) -> str:
    """The worst verdict of a case's determinism checks: ``repeats``, ``differs 3/20``."""
    found = [check for check in checks if check.level != "numeric"]
    if not found:
        return NOTHING
    worst = min(found, key=by_verdict)
    return f"{worst.verdict} {worst.differing}/{worst.repeats}" if worst.differing else worst.verdict


def because(status: str, reason: str) -> str:
    """A status with its reason: ``skipped: needs a GPU``."""
    if not reason:
        return STATUSES[status]
    return f"{status.replace('oom', 'out of memory')}: {escape(reason, 400)}"


def counted(number: int, one: str, many: str = "") -> str:
    """``1 case``, ``3 cases``."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def repeats(check: Check) -> str:
    """What a determinism check has shown, and no more: repeats bound a rate, they prove nothing."""
    if check.reason:
        return escape(check.reason, 400)
    if not check.repeats:
        return REPEATABILITY.get(check.verdict, check.verdict)
    return shown(check.repeats, check.differing)
