"""Changes somebody answers for: ``bench-accept.toml`` says which, how far, who, why, and until when.

[[accept]]
case = "conv/bias_before_bn[*]/bias@cuda"   # * stands for anything, every other character for itself
metric = "time/*"
change = "+5%"                              # how much worse it may be; or a state: "missing", "failed", …
owner = "ada"
reason = "the new cuDNN picks another algorithm; issue 12"
expires = 2027-01-31
"""

from __future__ import annotations

import datetime
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

from bench.analysis.change import STATES, Change, Comparison, State
from bench.analysis.compare import STATUSES
from bench.errors import BenchError

FILE = "bench-accept.toml"
_FIELDS = ("case", "metric", "change", "owner", "reason", "expires")
_PERCENT = re.compile(r"\+?(\d+(?:\.\d+)?) ?%\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Accept:
    """One entry of the accept file: ``allowed`` is the worst ratio, or None where a ``state`` is accepted."""

    case: str
    metric: str
    state: State
    allowed: float | None
    owner: str
    reason: str
    expires: datetime.date
    where: str

    @property
    def text(self) -> str:
        return f"{self.where} ({self.owner}, until {self.expires}: {self.reason})"

    def covers(self, change: Change) -> bool:
        """Whether this change is no worse than what was accepted.

        A measured change passes until its interval lies beyond what is allowed: the accepted effect itself is
        measured a little larger every second time.
        """
        named = _matches(self.case, change.case) and _matches(self.metric, change.metric)
        if change.state != self.state or not named:
            return False
        if self.allowed is None:
            return True
        ends = (change.ratio, change.low, change.high)
        factors = [end if change.better == "lower" else 1 / end for end in ends if end]
        return bool(factors) and min(factors) <= self.allowed


@cache
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, text.split("*"))), re.DOTALL)


def _matches(pattern: str, name: str) -> bool:
    """``fnmatch`` will not do: a case id has brackets of its own."""
    return _pattern(pattern).fullmatch(name) is not None


def parse(text: str, *, file: str = FILE) -> tuple[Accept, ...]:
    """The entries of an accept file.  Raises BenchError with file and line for what is not one."""
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        found = re.search(r"line (\d+)", str(error))
        where = f", line {found[1]}" if found else ""
        raise BenchError(f"{file}{where}: not TOML: {error}") from None
    entries = data.get("accept", [])
    if data.keys() - {"accept"} or not isinstance(entries, list):
        raise BenchError(f"{file}: write each entry under a line [[accept]], and nothing else")
    lines = [number for number, line in enumerate(text.split("\n"), 1) if re.match(r"\s*\[\[\s*accept\s*\]\]", line)]
    lines += [1] * (len(entries) - len(lines))  # entries in inline form have no line of their own
    return tuple(_entry(entry, f"{file}, line {line}") for entry, line in zip(entries, lines, strict=False))


def _entry(entry: Mapping[str, Any], where: str) -> Accept:
    if not isinstance(entry, Mapping):
        raise BenchError(f"{where}: write each entry under a line [[accept]], as {', '.join(_FIELDS)}")
    for name in _FIELDS:
        if name not in entry:
            raise BenchError(f"{where}: the entry has no {name}; it needs {', '.join(_FIELDS)}")
        wanted = datetime.date if name == "expires" else str
        if type(entry[name]) is not wanted or entry[name] == "":
            form = "a date such as 2027-01-31" if name == "expires" else "a text in quotes"
            raise BenchError(f"{where}: {name} must be {form}, not {entry[name]!r:.60}")
    unknown = entry.keys() - set(_FIELDS)
    if unknown:
        raise BenchError(f"{where}: unknown field {min(unknown)!r}; an entry has {', '.join(_FIELDS)}")
    state, allowed = _change(entry["change"], where)
    texts = {name: entry[name] for name in ("case", "metric", "owner", "reason", "expires")}
    return Accept(**texts, state=state, allowed=allowed, where=where)


def _change(text: str, where: str) -> tuple[State, float | None]:
    percent = _PERCENT.match(text)
    if percent:
        return "worse", 1 + float(percent[1]) / 100
    state = next((state for state in STATES if state == text and state in STATUSES), None)
    if state is None:
        words = ", ".join(STATUSES)
        raise BenchError(f'{where}: change must be a percentage such as "+5%" or one of {words}; not {text!r}')
    return state, None


def excuse(comparison: Comparison, accepts: Sequence[Accept], today: datetime.date) -> Comparison:
    """The comparison with accepted changes excused; entries that expired count for nothing and are named."""
    valid = [entry for entry in accepts if today <= entry.expires]
    expired = [entry for entry in accepts if today > entry.expires]
    notes = [f"{entry.text} has expired: what it accepted counts again" for entry in expired]
    idle = [entry for entry in valid if not any(entry.covers(change) for change in comparison.changes)]
    notes += [f"{entry.text} accepts nothing that was found: remove it when that lasts" for entry in idle]
    pairs = tuple(replace(pair, changes=tuple(_excused(c, valid) for c in pair.changes)) for pair in comparison.pairs)
    return replace(comparison, pairs=pairs, notes=(*comparison.notes, *notes))


def _excused(change: Change, accepts: Sequence[Accept]) -> Change:
    if change.excused or change.state not in STATUSES:
        return change
    entry = next((entry for entry in accepts if entry.covers(change)), None)
    return change if entry is None else change._replace(excused=f"accepted: {entry.text}")
