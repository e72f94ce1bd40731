"""Lines of a log as text: what the process printed, and what was asked of it, marked as the system's."""

from __future__ import annotations

from datetime import datetime

from ..journal.log_lines import SYSTEM, LogLine
from .words import printable

_DIM, _RESET = "\x1b[2m", "\x1b[0m"


def log_text(line: LogLine, *, color: bool) -> str:
    """One line for a terminal (with colour) or a pipe."""
    if line.stream != SYSTEM:
        # A line may leave a colour switched on.
        return line.text + (_RESET if color and "\x1b[" in line.text else "")
    clock = datetime.fromtimestamp(line.at).astimezone().strftime("%H:%M:%S") if line.at else ""
    text = f"⚙ {clock} {printable(line.text)}"
    return f"{_DIM}{text}{_RESET}" if color else text
