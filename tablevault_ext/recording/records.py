"""What users append to record lists, turned into plain JSON types."""

from __future__ import annotations

import base64
import dataclasses
import datetime
import decimal
import enum
import fractions
import os
import uuid
from collections.abc import Mapping, Sequence, Set
from typing import Any

from ..errors import BadRecord

_MAX_DEPTH = 200


def to_plain(value: Any) -> Any:
    """Turn a record into dicts, lists, strings, numbers, booleans and None.

    Dicts, lists and scalars stay what they are; anything with ``.tolist()`` or ``.item()`` (numpy, torch, jax)
    counts as data; frames become lists of rows; dates and times ISO 8601 text; bytes base64; sets lists.

    Raises:
        BadRecord: no rule fits; the message says which part, and nothing was appended.

    >>> to_plain({"loss": 0.5, "when": datetime.date(2026, 1, 2), 3: {1}})
    {'loss': 0.5, 'when': '2026-01-02', '3': [1]}
    """
    return _plain(value, "record", 0)


def _plain(value: Any, where: str, depth: int) -> Any:
    kind = type(value)
    if value is None or kind in (str, bool, int, float):
        return value
    if depth > _MAX_DEPTH:
        raise BadRecord(f"{where[:80]}… is nested deeper than {_MAX_DEPTH} levels (does it contain itself?)")
    if kind in (dict, list, tuple) or isinstance(value, Mapping | Set) or _is_sequence(value):
        return _container(value, where, depth)
    if isinstance(value, str | int | float) and not isinstance(value, enum.Enum):
        return _base_scalar(value)
    return _scalar(value, where, depth)


def _is_sequence(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray | memoryview | range)


def _base_scalar(value: str | int | float) -> Any:
    """Strip a subclass of a JSON type (numpy.float64, numpy.str_) down to the type."""
    if isinstance(value, str):
        return str.__str__(value)
    return int(value) if isinstance(value, int) else float(value)


def _container(value: Any, where: str, depth: int) -> Any:
    if isinstance(value, Mapping):
        plain = {}
        for key, item in value.items():
            name = key if isinstance(key, str) else _key(key, where)
            plain[name] = _plain(item, f"{where}[{name!r}]", depth + 1)
        return plain
    return [_plain(item, f"{where}[{index}]", depth + 1) for index, item in enumerate(value)]


def _key(key: Any, where: str) -> str:
    plain = _plain(key, f"a key of {where}", _MAX_DEPTH)
    return plain if isinstance(plain, str) else str(plain)


def _scalar(value: Any, where: str, depth: int) -> Any:
    if isinstance(value, enum.Enum):
        return _plain(value.value, where, depth + 1)
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, decimal.Decimal | fractions.Fraction | uuid.UUID):
        return str(value)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, range):
        return list(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            f.name: _plain(getattr(value, f.name), f"{where}.{f.name}", depth + 1) for f in dataclasses.fields(value)
        }
    if getattr(getattr(value, "dtype", None), "kind", "") == "M" and hasattr(value, "astype"):
        value = value.astype("datetime64[us]")  # in nanoseconds, numpy's tolist() gives bare integers
    for method, arguments in _AS_DATA:
        convert = getattr(value, method, None)
        if method == "to_dict" and not hasattr(value, "columns"):
            continue  # a pandas Series: its values are a list
        if callable(convert) and not isinstance(value, type):
            try:
                data = convert(**arguments)
            except Exception as error:
                raise BadRecord(f"{where[:80]}: {type(value).__name__}.{method}() failed: {error}") from error
            if type(data) is type(value):
                break
            return _plain(data, where, depth + 1)
    raise BadRecord(
        f"{where[:80]} is a {type(value).__module__}.{type(value).__qualname__}, which no rule turns into JSON; "
        "append a dict, a list, a scalar, an array or a frame. Nothing was appended"
    )


_AS_DATA: tuple[tuple[str, dict[str, Any]], ...] = (
    ("to_pylist", {}),  # pyarrow
    ("to_dicts", {}),  # polars
    ("to_dict", {"orient": "records"}),  # pandas
    ("tolist", {}),
    ("item", {}),
)
