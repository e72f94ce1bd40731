"""What callers send, checked at the door: every refusal names the field, what it must be, and what it was."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import BadArgument, shorten

_MISSING: Any = object()
# A token in the address, and what JupyterLab adds so that nothing is cached: a bare number.
_NOT_OURS = re.compile(r"token|_|\d+")


class Fields:
    """The fields of a query string or of a JSON object; each is taken once, and `done` refuses what is left.

    >>> fields = Fields({"limit": "5"}, text=True)
    >>> fields.integer("limit", 1, 100, default=10), fields.flag("mine", default=False)
    (5, False)
    >>> fields.done()

    Args:
        text: values are texts of a query string, not JSON.
    """

    def __init__(self, values: Mapping[str, Any], *, text: bool) -> None:
        self._values = dict(values)
        self._text = text
        self._known: list[str] = []

    def text(self, name: str, most: int, default: Any = _MISSING, *, least: int = 0) -> Any:
        """A string of ``least`` to ``most`` characters."""
        value = self._take(name, default)
        if value is default:
            return default
        if not isinstance(value, str):
            raise _wrong(name, "a string", value)
        if not least <= len(value) <= most:
            raise BadArgument(f"{name} must have {least} to {most} characters; it had {len(value)}")
        return value

    def integer(self, name: str, least: int, most: int, default: Any = _MISSING) -> Any:
        value = self._take(name, default)
        if value is default:
            return default
        if self._text and re.fullmatch(r"-?\d{1,18}", value):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise _wrong(name, f"a whole number, {least} to {most}", value)
        return value

    def number(self, name: str, least: float, most: float, default: Any = _MISSING, *, unit: str = "") -> Any:
        value = self._take(name, default)
        if value is default:
            return default
        if self._text:
            try:
                value = float(value)
            except ValueError:
                raise _wrong(name, f"a number{unit}, {least:g} to {most:g}", value) from None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _wrong(name, f"a number{unit}, {least:g} to {most:g}", value)
        if not math.isfinite(value) or not least <= value <= most:
            raise _wrong(name, f"a number{unit}, {least:g} to {most:g}", value)
        return float(value)

    def flag(self, name: str, default: bool) -> bool:
        value = self._take(name, default)
        if self._text and value in ("true", "false"):
            return bool(value == "true")
        if not isinstance(value, bool):
            raise _wrong(name, "true or false", value)
        return value

    def choice(self, name: str, words: Sequence[str], default: Any = _MISSING) -> Any:
        value = self._take(name, default)
        if value is not default and value not in words:
            raise _wrong(name, "one of " + ", ".join(words), value)
        return value

    def choices(self, name: str, words: Sequence[str]) -> frozenset[str]:
        """Several words, separated by commas; none when it is not given."""
        value = self._take(name, None)
        given = frozenset(str(value).split(",")) if value is not None else frozenset()
        for word in given:
            if word not in words:
                raise _wrong(name, "some of " + ", ".join(words) + ", separated by commas", word)
        return given

    def texts(self, name: str, most: int, longest: int) -> list[str] | None:
        """A list of 1 to ``most`` strings without NUL; None when it is not given."""
        value = self._take(name, None)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise _wrong(name, "a list of strings", value)
        if not 1 <= len(value) <= most:
            raise BadArgument(f"{name} must have 1 to {most} items; it had {len(value)}")
        for index, item in enumerate(value):
            if len(item) > longest or "\0" in item:
                raise BadArgument(f"{name}[{index}] must have at most {longest} characters, none of them NUL")
        return value

    def done(self) -> None:
        """Refuse fields that nobody asked for: a misspelt one must not be passed over in silence."""
        for name in self._values:
            if self._text and _NOT_OURS.fullmatch(name):
                continue
            known = ", ".join(self._known) or "none"
            kind = "query parameter" if self._text else "field"
            raise BadArgument(f"{shorten(name)!r} is no {kind} here; known: {known}")

    def _take(self, name: str, default: Any) -> Any:
        self._known.append(name)
        value = self._values.pop(name, _MISSING)
        if value is not _MISSING:
            return value
        if default is _MISSING:
            raise BadArgument(f"{name} is missing")
        return default


def query_fields(arguments: Mapping[str, Sequence[bytes]]) -> Fields:
    """The fields of a query string.

    Raises:
        BadArgument: one was given twice, or is no UTF-8.
    """
    values = {}
    for name, given in arguments.items():
        if len(given) > 1:
            raise BadArgument(f"{shorten(name)!r} was given {len(given)} times; once is enough")
        try:
            values[name] = given[0].decode("utf-8")
        except UnicodeDecodeError:
            raise BadArgument(f"{shorten(name)!r} is not UTF-8") from None
    return Fields(values, text=True)


def body_fields(body: bytes, most: int) -> Fields:
    """The fields of a JSON object; an empty body has none.

    Args:
        most: bytes that are accepted.

    Raises:
        BadArgument: too large, not JSON, or not an object.
    """
    if len(body) > most:
        raise BadArgument(f"the body has {len(body)} bytes; at most {most} are accepted")
    if not body.strip():
        return Fields({}, text=False)
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadArgument(f"the body is not JSON: {shorten(str(error))}") from None
    if not isinstance(data, dict):
        raise BadArgument(f"the body must be a JSON object, not {_kind(data)}")
    return Fields(data, text=False)


def _wrong(name: str, wanted: str, value: Any) -> BadArgument:
    shown = shorten(value if isinstance(value, str) else json.dumps(value), 60)
    return BadArgument(
        f"{name} must be {wanted}; it was {shown!r}"
        if isinstance(value, str)
        else f"{name} must be {wanted}; it was {shown}"
    )


def _kind(value: Any) -> str:
    kinds = {list: "a list", str: "a string", int: "a number", float: "a number", bool: "true or false"}
    return kinds.get(type(value), "null")
