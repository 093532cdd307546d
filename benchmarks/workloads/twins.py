"""Do two copies of the same operation differ?"""

from bench import Subject, benchmark, higher, lower, unchanged

from ._ops import NAMES, operation


@benchmark(
    variants={"first": 1, "second": 2},
    cpu={"name": list(NAMES)},
    phases=("inference",),
    claims=[
        unchanged("time", within="2%"),
        higher("time", of="second", within="0%"),
        lower("time", of="second", within="0%"),
    ],
)
def twins(_, name):
    """They do not, so every confirmed difference and every refuted equality is a false verdict."""
    return Subject(operation(name))
