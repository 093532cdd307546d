"""A question to a machine that may go unanswered: the answer, or None and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench.model import Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """An answer, or None and why there is none."""

    value: Value
    reason: str = ""


class Unanswered(Exception):  # noqa: N818 - an answer, not a fault
    """This machine has no answer to the question; the text says why."""


def read(question: Callable[[], Value]) -> Reading:
    """Ask; what a machine lacks (a file, a call, a permission) becomes the reason."""
    try:
        return Reading(value=question())
    except Unanswered as error:
        return Reading(value=None, reason=str(error))
    except OSError as error:
        return Reading(value=None, reason=f"{error.filename or 'the system'}: {error.strerror or error}")
    except (AttributeError, ImportError, ValueError, IndexError, RuntimeError) as error:
        return Reading(value=None, reason=f"not told here ({type(error).__name__}: {error})")
