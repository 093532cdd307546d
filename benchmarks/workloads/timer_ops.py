"""The eight operations under torch.utils.benchmark: prints name -> median seconds as JSON."""

import json
import sys

from _ops import NAMES, operation
from torch.utils.benchmark import Timer


def main() -> None:
    """``timer_ops.py SECONDS``: at least so long on each operation."""
    seconds = float(sys.argv[1])
    medians = {}
    for name in NAMES:
        timer = Timer("f()", globals={"f": operation(name)})
        medians[name] = timer.blocked_autorange(min_run_time=seconds).median
    print(json.dumps(medians))


if __name__ == "__main__":
    main()
