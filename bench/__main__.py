"""``python -m bench`` and the console script ``bench``."""

from bench.cli import main

if __name__ == "__main__":
    main()
