"""Times, durations and texts in words that people read."""

from __future__ import annotations

import time
import unicodedata
from datetime import UTC, datetime
from typing import Any


def duration(seconds: float | None) -> str:
    """A span of time, coarser the longer it is.

    >>> [duration(s) for s in (0.00042, 0.25, 7.3, 192, 8000, 200_000)]
    ['0.4 ms', '250 ms', '7.3 s', '3 min 12 s', '2 h 13 min', '2 d 7 h']
    """
    if seconds is None:
        return ""
    if seconds < 1:
        return f"{seconds * 1000:.1f} ms" if seconds < 0.01 else f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def ago(us: int | None) -> str:
    """How long ago a moment (µs since the epoch) was."""
    if us is None:
        return ""
    words = duration(max(0.0, time.time() - us / 1e6)).split()
    return f"{round(float(words[0]))} {words[1]} ago"  # one unit will do


def clock(us: int | None) -> str:
    """A moment (µs since the epoch) in local time: the time of day, with the date unless it is today's."""
    if us is None:
        return ""
    moment = datetime.fromtimestamp(us / 1e6, UTC).astimezone()
    same_day = moment.date() == datetime.now(UTC).astimezone().date()
    return f"{moment:%H:%M:%S}" if same_day else f"{moment:%Y-%m-%d %H:%M}"


def size(count: float | None) -> str:
    """Bytes.

    >>> size(512), size(3_500_000)
    ('512 B', '3.3 MiB')
    """
    if count is None:
        return ""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def count(number: int, thing: str, plural: str = "") -> str:
    """A number and its noun.

    >>> count(1, "cell"), count(1200, "process", "processes")
    ('1 cell', '1,200 processes')
    """
    return f"{number:,} {thing if number == 1 else plural or thing + 's'}"


def printable(value: Any, *, keep_lines: bool = False) -> str:
    """Text that cannot move a terminal's cursor, recolour it or turn its writing direction round.

    Names, code and messages are the users' own and may hold anything.

    >>> printable("a\\x1b[31mb\\tc"), printable("one\\ntwo")
    ('a\\\\x1b[31mb    c', 'one⏎two')
    """
    text = value if isinstance(value, str) else str(value)
    text = text.replace("\t", "    ").replace("\r\n", "\n")
    if not keep_lines:
        text = text.replace("\n", "⏎")
    if text.isprintable():
        return text
    return "".join(char if char == "\n" or not _disturbs(char) else ascii(char)[1:-1] for char in text)


def shown(text: str, width: int) -> str:
    """One printable line of at most ``width`` characters, cut at its end."""
    line = printable(text.strip())
    return line if len(line) <= width else line[: width - 1] + "…"


def _disturbs(char: str) -> bool:
    # Cc: control, Cf: format (bidi overrides; but joiners make emoji), Cs: lone surrogates, Zl/Zp: line ends
    return unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") and char not in "\u200d\u200c"
