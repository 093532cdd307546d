"""A report folder on disk: ``records.jsonl`` is the truth, appended and flushed as it is measured.

A crash loses at most the line being written; a reader skips that line and says so.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import os
import tempfile
import types
import typing
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from bench.errors import BenchError
from bench.model import SCHEMA, Environment, Manifest, Record

RECORDS, MANIFEST, ENVIRONMENT = "records.jsonl", "manifest.json", "environment.json"
# Below a report's folder, what was timed beside it in the environment that it is relative to.
REFERENCE = "reference"


def to_json(value: Any) -> Any:
    """Plain data of a model value; numbers that JSON lacks become the strings ``nan``, ``inf``, ``-inf``."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(k): to_json(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


class MisfitError(TypeError):
    """A value that is not what its field must be; its text names the field."""

    def __init__(self, told: str, place: str = "") -> None:
        super().__init__(f"{place.lstrip('.') or 'it'} {told}")
        self.told, self.place = told, place


def from_json(kind: Any, data: Any) -> Any:
    """The inverse of ``to_json`` for a model type; fields a later schema added are ignored, missing ones default.

    Raises MisfitError for data of another kind, and ValueError for too short or too long a row.
    """
    if dataclasses.is_dataclass(kind):
        return _object(typing.cast(type, kind), data)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType) and dataclasses.is_dataclass(arguments[0]):
        return None if data is None else from_json(arguments[0], data)
    if origin is tuple:
        if not isinstance(data, list):
            raise MisfitError("must be a list")
        kinds = itertools.repeat(arguments[0], len(data)) if arguments[-1] is Ellipsis else arguments
        return tuple(_part(place, *part) for place, part in enumerate(zip(kinds, data, strict=True)))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {k: _part(k, arguments[1], v) for k, v in _fields(data)}
    if isinstance(data, str) and data in ("nan", "inf", "-inf") and _allows_float(kind):
        return float(data)
    if not (data in arguments if origin is typing.Literal else type(data) in _plain(kind) or kind is Any):
        raise MisfitError(f"must be {_wanted(kind)}, not {json.dumps(data)[:40]}")
    return data


_WORDS = {float: "a number", int: "a whole number", str: "a text", bool: "true or false", type(None): "null"}


def _wanted(kind: Any) -> str:
    if typing.get_origin(kind) is typing.Literal:
        return " or ".join(map(repr, typing.get_args(kind)))
    return " or ".join(_WORDS[plain] for plain in dict.fromkeys(_plain(kind)) if plain is not int or kind is int)


def _part(place: int | str, kind: Any, data: Any) -> Any:
    try:
        return from_json(kind, data)
    except MisfitError as error:
        step = f"[{place}]" if isinstance(place, int) else f".{place}"
        raise MisfitError(error.told, step + error.place) from None


def _object(kind: type, data: Any) -> Any:
    hints = _hints(kind)
    values = {k: _part(k, hints[k], v) for k, v in _fields(data) if k in hints}
    missing = next((name for name in _asked(kind) if name not in values), None)
    if missing:
        raise MisfitError("is missing", f".{missing}")
    return kind(**values)


@cache
def _asked(kind: Any) -> tuple[str, ...]:
    """The fields without a default."""
    return tuple(f.name for f in dataclasses.fields(kind) if f.default is f.default_factory is dataclasses.MISSING)


def _fields(data: Any) -> typing.ItemsView[str, Any]:
    if not isinstance(data, dict):
        raise MisfitError("must be an object")
    return data.items()


@cache
def _plain(kind: Any) -> tuple[type, ...]:
    """The types of which a plain value may be; a whole number stands for any."""
    if typing.get_origin(kind) is typing.Literal:
        return tuple(map(type, typing.get_args(kind)))
    if typing.get_args(kind):
        return tuple(plain for part in typing.get_args(kind) for plain in _plain(part))
    return (float, int) if kind is float else (kind,)


_hints = cache(typing.get_type_hints)


def _allows_float(kind: Any) -> bool:
    """What is a text or a number of many kinds may say ``nan`` as a text; a reading, float or str, is no such text."""
    kinds = typing.get_args(kind)
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return float in kinds and (str not in kinds or set(kinds) == {float, str})
    return kind is float


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a whole file or nothing: a temporary neighbour, flushed, then renamed.  Raises BenchError."""
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content.encode() if isinstance(content, str) else content)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, 0o666 & ~_umask())
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise cannot_write(path, error) from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def cannot_write(path: Path, error: OSError) -> BenchError:
    """One line for a full disk, a folder that is not writable and their like."""
    return BenchError(f"cannot write {path}: {error.strerror or error}; free some space or name another --output")


def cannot_read(path: Path, error: OSError) -> BenchError:
    """One line for a report that is not there, or that the system does not give."""
    if isinstance(error, FileNotFoundError):
        return BenchError(f"{path}: no such file; name a report folder or its report.csv")
    return BenchError(f"{path}: cannot be read ({error.strerror or error})")


class Store:
    """The folder of one run.  ``append`` flushes each record, so that kill -9 loses at most the one being written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _end_with_newline(folder / RECORDS)
            self._file = open(folder / RECORDS, "a", encoding="utf-8")  # noqa: SIM115  closed by close()
        except OSError as error:
            raise cannot_write(folder, error) from None

    def append(self, record: Record) -> None:
        """Keep one record.  Raises BenchError when the disk does not take it."""
        try:
            self._file.write(json.dumps(to_json(record), separators=(",", ":")) + "\n")
            self._file.flush()
        except OSError as error:
            raise cannot_write(self.folder / RECORDS, error) from None

    def write_manifest(self, manifest: Manifest) -> None:
        write_atomically(self.folder / MANIFEST, json.dumps(to_json(manifest), indent=1) + "\n")

    def add_environment(self, environment: Environment) -> None:
        """Keep an environment beside those already in the folder, under its key."""
        environments = {**read_environments(self.folder), environment.key: environment}
        text = json.dumps({"schema": SCHEMA, "environments": to_json(environments)}, indent=1)
        write_atomically(self.folder / ENVIRONMENT, text + "\n")

    def close(self) -> None:
        self._file.close()


def _end_with_newline(path: Path) -> None:
    """Close a line that a crash left open, so that the next record does not grow onto it."""
    if path.exists() and path.stat().st_size:
        with open(path, "rb+") as file:
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")


def read_records(folder: Path) -> tuple[tuple[Record, ...], int]:
    """All whole records of a folder, and how many lines could not be read."""
    path = folder / RECORDS
    if not path.is_file():
        raise BenchError(f"{folder} holds no {RECORDS}: name the folder of a report")
    records, broken = [], 0
    with _opened(path) as file:
        for number, line in enumerate(file, 1):
            try:
                data = json.loads(line)
                if (schema := int(data["schema"])) <= SCHEMA:
                    records.append(from_json(Record, data))
                    continue
            except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
                broken += bool(line.strip())
                continue
            raise BenchError(f"{path}:{number}: schema {schema} is newer than this bench ({SCHEMA}): upgrade it")
    return tuple(records), broken


def read_reference(folder: Path) -> tuple[Record, ...]:
    """The whole records of the reference beside which a folder's cases were timed; none where there was no such."""
    place = folder / REFERENCE
    return read_records(place)[0] if (place / RECORDS).is_file() else ()


def _opened(path: Path) -> typing.TextIO:
    try:
        return open(path, encoding="utf-8", errors="replace")
    except OSError as error:
        raise cannot_read(path, error) from None


def read_manifest(folder: Path) -> Manifest:
    """What the run of a folder set out to measure."""
    data = _read_json(folder / MANIFEST)
    try:
        return typing.cast(Manifest, from_json(Manifest, data))
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise BenchError(f"{folder / MANIFEST}: not a manifest of bench ({error})") from None


def read_environments(folder: Path) -> dict[str, Environment]:
    """Environment key -> environment; empty when the run ended before its first process."""
    path = folder / ENVIRONMENT
    if not os.path.lexists(path):
        return {}
    data = _read_json(path)
    try:
        return {k: from_json(Environment, v) for k, v in data.get("environments", {}).items()}
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise BenchError(f"{path}: not the environments of a report ({error})") from None


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BenchError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise BenchError(f"{path}: not JSON ({error}); is the file cut off?") from None
