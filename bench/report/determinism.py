"""Reproducibility and its price as tables: the contract with the documentation, and the knob matrix."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from bench.analysis.contract import SOURCE, Clause, contract
from bench.analysis.determinism import Price, Turned, knob_matrix, prices
from bench.analysis.summary import Summary
from bench.report.words import NOTHING, change, counted, escape

_MOST_NAMED = 5  # reasons for which cells did not work


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One table with its heading, and the sentences under it."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    remarks: tuple[str, ...] = ()


def parts(summary: Summary) -> tuple[Part, ...]:
    """What a run with ``--determinism full`` found: nothing for other runs."""
    matrix = knob_matrix(summary.turned)
    found = (_contract_part(contract(summary.records, summary.turned)), _price_part(matrix))
    return tuple(part for part in found if part.rows)


# --- the price -------------------------------------------------------------------------------------------------------


def _price_part(matrix: Sequence[Turned]) -> Part:
    table = prices(matrix)
    timed = max((len(price.ratios) for price in table), default=0)
    remarks = [
        "bits and distance: against the default cell, relative to the largest number of a result",
        f"time: geometric mean of up to {counted(timed, 'ratio')} that have an interval; the dearest with its own",
        *(_dearest(price) for price in table if _costs(price)),
        *_broken(matrix),
    ]
    return Part(
        title="What determinism costs, and what else the knobs change",
        header=("knobs", "cases", "repeat", "same bits", "distance", "time", "dearest"),
        rows=tuple(_price_row(price) for price in table),
        remarks=tuple(remarks),
    )


def _costs(price: Price) -> bool:
    return price.dearest is not None and (price.dearest.ratio_low or 0.0) > 1


def _dearest(price: Price) -> str:
    estimate = price.dearest
    assert estimate is not None
    return f"{price.knobs} is dearest for {escape(f'{estimate.case.id} {estimate.metric}', 120)}"


def _broken(matrix: Sequence[Turned]) -> list[str]:
    """Why cells did not work, each reason once; what PyTorch asks its users to do about it is left out."""
    reasons = Counter((t.knobs, t.reason.partition(", but you set")[0]) for t in matrix if t.reason)
    return [f"{knobs} fails in {counted(n, 'case')}: {reason}" for (knobs, reason), n in reasons.items()][:_MOST_NAMED]


def _mean(ratio: float | None) -> str:
    """A mean without an interval of its own: three digits would be too many."""
    if ratio is None:
        return NOTHING
    return f"{100 * (ratio - 1):+.1f} %" if 0.5 < ratio < 2 else f"{ratio:.1f}x"


def _price_row(price: Price) -> tuple[str, ...]:
    dearest = price.dearest
    return (
        price.knobs,
        str(price.cases) if price.worked == price.cases else f"{price.worked} of {price.cases}",
        _how_many(price.worked - price.differing, price.worked),
        _how_many(price.worked - price.differing - price.other_bits, price.worked),
        NOTHING if not price.furthest else f"{price.furthest:.1e}",
        _mean(price.middle),
        NOTHING if dearest is None else change(dearest.ratio, dearest.ratio_low, dearest.ratio_high),
    )


def _how_many(number: int, of: int) -> str:
    if not of:
        return NOTHING
    return "all" if number == of else "none" if number <= 0 else f"{number} of {of}"


# --- the contract ----------------------------------------------------------------------------------------------------


def _contract_part(clauses: Sequence[Clause]) -> Part:
    return Part(
        title="What is documented of determinism, and what was seen",
        header=("finding", "documented", "should", "raised", "cases", "differed"),
        rows=tuple(_contract_row(clause) for clause in clauses),
        remarks=(
            f"documented: {SOURCE}; should: with deterministic=on",
            "what repeats without being documented is not listed",
        ),
    )


def _contract_row(clause: Clause) -> tuple[str, ...]:
    should = {"raises": "raise", "switches": "repeat", None: NOTHING}[clause.behaviour]
    return (
        clause.outcome,
        clause.api.replace("torch.", "") or ", ".join(clause.cases[:2]),
        should,
        f"{clause.raised} of {clause.asked}" if clause.asked else NOTHING,
        str(len(clause.cases)),
        f"{clause.differing} in {counted(clause.repeats, 'repeat')}",
    )
