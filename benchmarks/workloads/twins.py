"""Does the second of two copies of an operation take longer, or less?"""

from bench import Subject, benchmark, higher, lower

from ._ops import NAMES, operation


@benchmark(
    variants={"first": False, "second": True},
    cpu={"name": list(NAMES)},
    phases=("inference",),
    claims=[higher("time", of="second", within="2%"), lower("time", of="second", within="2%")],
)
def twins(slowed, name):
    """Only as much as was planted in it."""
    return Subject(operation(name, slowed=slowed))
