"""One event, one line of strict JSON."""

from __future__ import annotations

import codecs
import json
import math
from typing import Any

_ESCAPE_SURROGATES = "tablevault_escape_surrogates"


def _escape_surrogates(error: UnicodeError) -> tuple[str, int]:
    # A lone surrogate is no Unicode text: DuckDB refuses the whole file for one, even as \udXXX. It is kept
    # readable as the six characters "\udXXX", which in JSON needs a doubled backslash.
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(f"\\\\u{ord(char):04x}" for char in text), error.end


codecs.register_error(_ESCAPE_SURROGATES, _escape_surrogates)

_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def encode_line(event: dict[str, Any]) -> bytes:
    """Turn an event of plain JSON types into one line, newline included.

    NaN and the infinities, which JSON has not, become the strings that DuckDB casts back to DOUBLE.

    >>> encode_line({"e": "x", "loss": float("nan"), "text": "a\\nb"})
    b'{"e":"x","loss":"NaN","text":"a\\\\nb"}\\n'
    """
    try:
        text = _ENCODER.encode(event)
    except ValueError:
        text = _ENCODER.encode(_strict(event))
    return text.encode("utf-8", _ESCAPE_SURROGATES) + b"\n"


def decode_line(line: bytes) -> dict[str, Any] | None:
    """Read one line back; None for anything that is not an event (torn, garbage, NUL padding)."""
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) and isinstance(event.get("e"), str) else None


def _strict(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {key: _strict(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(item) for item in value]
    return value
