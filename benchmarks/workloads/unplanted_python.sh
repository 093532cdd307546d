#!/bin/sh
# The reference of false_alarms.py: the same Python, in which nothing is planted; the variable keeps its length.
INJECT=0.00 exec "$UNPLANTED_PYTHON" "$@"
