"""Arguments of the launching calls: checked at the door, in the form the operating system wants."""

from __future__ import annotations

import math
import os
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..errors import BadArgument

Line = str | list[str]


def normalize_path(path: str | os.PathLike[str]) -> Path:
    """A path made absolute: ``~`` and ``$VARIABLES`` filled in, ``..`` resolved by text; it need not exist.

    >>> normalize_path("/tmp/../etc").as_posix()
    '/etc'
    """
    try:
        text = os.fsdecode(os.fspath(path))
    except TypeError:
        raise BadArgument(f"a path must be a string or a Path, not {type(path).__name__}") from None
    if not text:
        raise BadArgument("a path must not be empty")
    return Path(os.path.abspath(os.path.expandvars(os.path.expanduser(text))))  # noqa: PTH100, PTH111


def plan_command(cmd: Any, shell: bool | None) -> tuple[Line, bool]:
    """What to start, and whether by a shell: a string goes to the shell, a list does not, unless told otherwise.

    Raises:
        BadArgument: empty, or neither text nor a sequence of texts.
    """
    if isinstance(cmd, os.PathLike):
        cmd = [cmd]
    if isinstance(cmd, str):
        if not cmd.strip():
            raise BadArgument("the command is empty; nothing was started")
        if shell is None or shell:
            return cmd, True
        try:
            return shlex.split(cmd), False
        except ValueError as error:
            raise BadArgument(f"the command {cmd[:200]!r} cannot be split: {error}") from None
    if not isinstance(cmd, Sequence) or isinstance(cmd, bytes):
        raise BadArgument(f"a command is a string or a list of strings, not {type(cmd).__name__}")
    if not cmd or not cmd[0]:
        raise BadArgument("the command is empty; nothing was started")
    try:
        parts = [os.fsdecode(os.fspath(part)) for part in cmd]
    except TypeError:
        bad = next(part for part in cmd if not isinstance(part, str | bytes | os.PathLike))
        raise BadArgument(f"the parts of a command are strings, not {type(bad).__name__} ({bad!r})") from None
    return (shlex.join(parts), True) if shell else (parts, False)


def program_name(line: Line) -> str:
    """What to call a command: the file name of its program."""
    if isinstance(line, str):
        words = line.split(maxsplit=1)
        line = [words[0] if words else "sh"]
    return os.path.basename(line[0]).replace("\\", "-") or "command"  # noqa: PTH119 - a Path takes longer


def check_timeout(timeout: Any, what: str = "timeout") -> float | None:
    """Seconds, 0 or more, or None for no limit."""
    if timeout is None:
        return None
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or math.isnan(timeout):
        raise BadArgument(f"{what} must be a number of seconds or None, not {timeout!r}")
    if timeout < 0:
        raise BadArgument(f"{what} must be 0 or more seconds, not {timeout!r}; None waits without a limit")
    return None if math.isinf(timeout) else float(timeout)


def check_count(value: Any, what: str, *, least: int = 1) -> int:
    """A whole number of at least ``least``."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise BadArgument(f"{what} must be a whole number, {least} or more, not {value!r}")
    return value


def check_function(function: Any) -> Callable[..., Any]:
    if not callable(function):
        raise BadArgument(f"a task needs a function, not {type(function).__name__}; pass its arguments separately")
    return function  # type: ignore[no-any-return]


def check_id(value: Any, what: str) -> str:
    """An id or name given by a user: visible text of at most 200 characters."""
    if not isinstance(value, str) or not value.strip() or len(value) > 200 or "\0" in value:
        raise BadArgument(f"{what} must be a text of 1 to 200 visible characters, not {value!r:.100}")
    return value
