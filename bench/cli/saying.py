"""Results go to standard output; everything else that is said goes to standard error."""

from __future__ import annotations

import sys


def say(text: str) -> None:
    """A result."""
    sys.stdout.write(text + "\n")


def remark(text: str) -> None:
    """Anything that is not the result."""
    sys.stderr.write(text + "\n")
