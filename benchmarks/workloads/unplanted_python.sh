#!/bin/sh
# The reference of false_alarms.py: the same Python, in which nothing is planted.
INJECT=0 exec "$UNPLANTED_PYTHON" "$@"
