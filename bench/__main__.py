"""``python -m bench`` and the console script ``bench``."""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import sys

from bench import cli

# By default importing torch is interrupted by thousands of collections that find nothing: a fifth of its time.
_OBJECTS_BETWEEN_COLLECTIONS = 100_000


def main() -> None:
    """A command in a process of its own, left at once: Python takes 0.7 s to let go of torch."""
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    try:
        cli.main()
    except SystemExit as end:
        atexit._run_exitfuncs()
        for stream in filter(None, (sys.stdout, sys.stderr)):
            with contextlib.suppress(OSError):
                stream.flush()
        os._exit(int(end.code or 0))


if __name__ == "__main__":
    main()
