"""Starting a command: its environment, its input, and what it means when the system refuses."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from ..errors import BadArgument
from .arguments import Line
from .errors import CommandNotFound, LaunchError


def start_child(
    line: Line,
    *,
    shell: bool,
    cwd: Any,
    environment: dict[Any, Any],
    input_data: str | bytes | None,
    outputs: list[int],
) -> subprocess.Popen[bytes]:
    """Start a program in a process group of its own.

    Args:
        outputs: file descriptors for its output and errors; none: those of this process.

    Raises:
        CommandNotFound, LaunchError, BadArgument: nothing was started.
    """
    source = _as_file(input_data)
    stdout, stderr = outputs or (None, None)
    try:
        return subprocess.Popen(
            line,
            shell=shell,
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL if source is None else source,
            stdout=stdout,
            stderr=stderr,
            # A kernel's interrupt is for the cell; whoever waits here ends the command. (A session of its own
            # would do, too, but makes the scheduler set up a group: a tenth of a millisecond.)
            process_group=0,
        )
    except OSError as error:
        raise _explain(error, line, cwd) from error
    except (ValueError, TypeError) as error:
        raise BadArgument(f"the command {str(line)[:200]!r} cannot be started: {error}") from error
    finally:
        if source is not None:
            source.close()


def full_environment(env: Mapping[str, str] | None, ours: dict[str, str]) -> dict[Any, Any]:
    """The environment as given, or our own."""
    encoded = getattr(os.environ, "_data", {})  # as bytes: decoding, checking, encoding each variable takes long
    if env is None and encoded and hasattr(os, "environb"):
        return encoded | {os.fsencode(key): os.fsencode(value) for key, value in ours.items()}
    return dict(os.environ if env is None else env) | ours


def _as_file(data: str | bytes | None) -> IO[bytes] | None:
    """Input as an unnamed file: nobody has to feed a pipe while the command runs."""
    if data is None:
        return None
    file = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the command has it
    file.write(data.encode() if isinstance(data, str) else data)
    file.seek(0)
    return file


def _explain(error: OSError, line: Line, cwd: Any) -> LaunchError:
    program = line if isinstance(line, str) else line[0]
    if cwd is not None and not Path(cwd).is_dir():
        return CommandNotFound(f"the working directory {os.fspath(cwd)!r} does not exist; nothing was started")
    if isinstance(error, FileNotFoundError):
        return CommandNotFound(
            f"there is no program {str(program)[:200]!r} on the PATH; nothing was started. "
            "Install it, give its full path, or pass a string for a shell command"
        )
    return LaunchError(f"{str(program)[:200]!r} cannot be started: {error.strerror or error}; nothing was started")
