"""One exception type per audience."""

from __future__ import annotations


class BenchError(Exception):
    """A user's mistake or a machine's refusal: one or two lines saying what, where and what to do."""


class SuiteError(BenchError):
    """A suite author's mistake: the message says what to write instead."""


class IncomparableError(BenchError):
    """Two reports that must not be compared as they are."""
