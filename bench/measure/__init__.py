"""The only part that touches torch: building subjects, timing them, and the processes that do it."""
