"""How long does each of eight small operations take?"""

from bench import Subject, benchmark

from ._ops import NAMES, operation


@benchmark(variants={"op": None}, cpu={"name": list(NAMES)}, phases=("inference",))
def op(_, name):
    """One operation as the other tools time it."""
    return Subject(operation(name))
