"""One exception type per audience, and the name that was meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class BenchError(Exception):
    """A user's mistake or a machine's refusal: one or two lines saying what, where and what to do."""


class SuiteError(BenchError):
    """A suite author's mistake: the message says what to write instead."""


def hint(word: object, known: Iterable[str], otherwise: str, *, unlisted: Iterable[str] = ()) -> str:
    """The end of an error about an unknown name: ``did you mean 'time'?``, or ``otherwise`` and all known names.

    ``unlisted``: more names that may be meant, too many to list.
    """
    near = difflib.get_close_matches(str(word), [*(known := list(known)), *unlisted], n=1)
    return f"did you mean {near[0]!r}?" if near else f"{otherwise} {', '.join(known)}"
