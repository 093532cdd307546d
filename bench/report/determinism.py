"""Reproducibility and its price as tables: the contract with the documentation, and the knob matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from bench.analysis.contract import SOURCE, Clause, contract
from bench.analysis.determinism import Price, Turned, knob_matrix, prices
from bench.analysis.summary import Summary
from bench.model import Estimate
from bench.report.words import NOTHING, change, counted, escape

PRICE_COLUMNS = (
    *("suite", "benchmark", "case", "variant", "knobs", "phase", "status", "reason"),
    *("ratio", "ratio_low", "ratio_high", "processes", "process_values"),
)
# Of a matrix over hundreds of cases a reader wants to know the dearest; the rest is in prices.csv.
_MOST_NAMED = 5


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
    dearest = sorted((e for p in table for e in p.ratios), key=lambda e: e.ratio or 0.0, reverse=True)
    cells = {id(e): p.knobs for p in table for e in p.ratios}
    remarks = [f"{cells[id(e)]}: {_where(e)} {change(e.ratio, e.ratio_low, e.ratio_high)}" for e in dearest]
    broken = dict.fromkeys(f"{t.knobs}: {t.case.variant} of {t.case.benchmark}: {t.reason}" for t in matrix if t.reason)
    return Part(
        title="What determinism costs, and what else the knobs change",
        header=("knobs", "cases", "repeat", "bits of the default", "furthest", "time", "dearest"),
        rows=tuple(_price_row(price) for price in table),
        remarks=(*remarks[:_MOST_NAMED], *list(broken)[:_MOST_NAMED]),
    )


def _price_row(price: Price) -> tuple[str, ...]:
    dearest = price.dearest
    return (
        price.knobs,
        str(price.cases) if price.worked == price.cases else f"{price.worked} of {price.cases}",
        _how_many(price.worked - price.differing, price.worked),
        _how_many(price.worked - price.differing - price.other_bits, price.worked),
        NOTHING if not price.furthest else f"{price.furthest:.1e}",
        change(price.middle),
        NOTHING if dearest is None else change(dearest.ratio, dearest.ratio_low, dearest.ratio_high),
    )


def _how_many(number: int, of: int) -> str:
    if not of:
        return NOTHING
    return "all" if number == of else "none" if number <= 0 else f"{number} of {of}"


def _where(estimate: Estimate) -> str:
    return escape(f"{estimate.case.id} {estimate.metric.partition('/')[2]}", 120)


# --- the contract ----------------------------------------------------------------------------------------------------


def _contract_part(clauses: Sequence[Clause]) -> Part:
    return Part(
        title="What is documented of determinism, and what was seen",
        header=("finding", "documented", "with deterministic=on it", "raised", "cases", "did not repeat"),
        rows=tuple(_contract_row(clause) for clause in clauses),
        remarks=(f"documented: {SOURCE}",),
    )


def _contract_row(clause: Clause) -> tuple[str, ...]:
    said = {"raises": "raises", "switches": "repeats", None: NOTHING}[clause.behaviour]
    return (
        clause.outcome,
        clause.api or ", ".join(clause.cases[:2]),
        said,
        f"{clause.raised} of {clause.asked}" if clause.asked else NOTHING,
        str(len(clause.cases)),
        f"{clause.differing} (in {counted(clause.repeats, 'repeat')})",
    )


# --- every ratio -----------------------------------------------------------------------------------------------------


def prices_frame(summary: Summary) -> pd.DataFrame:
    """``prices.csv`` as a DataFrame: the time of every case in every cell against the default cell's."""
    rows = [
        {
            "suite": turned.case.suite,
            "benchmark": turned.case.benchmark,
            "case": turned.case.id,
            "variant": turned.case.variant,
            "knobs": turned.knobs,
            "phase": phase,
            "status": estimate.status,
            "reason": turned.reason or estimate.reason,
            **{name: getattr(estimate, name) for name in ("ratio", "ratio_low", "ratio_high")},
            "processes": len(estimate.process_values),
            "process_values": ";".join(repr(float(value)) for value in estimate.process_values),
        }
        for turned in knob_matrix(summary.turned)
        for phase, estimate in turned.prices.items()
    ]
    frame: pd.DataFrame = pd.DataFrame(rows, columns=list(PRICE_COLUMNS))
    return frame
