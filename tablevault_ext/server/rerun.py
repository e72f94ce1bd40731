"""Run a script or command again: `tablevault run` with its command line, in a session of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from ..errors import BadArgument, NameTaken, UnknownProcess, WrongState
from ..identity import Presence
from ..journal.names import check_name, resolve
from ..journal.process_state import read_process
from ..model import Kind, Process, new_process_id
from ..panel.wire import command_of
from ..paths import ENV_HOME, VaultPaths

_PATIENCE = 20.0  # seconds until a run that has not begun counts as failed


def run_again(
    paths: VaultPaths,
    process: Process,
    *,
    argv: Sequence[str] | None = None,
    cwd: str | None = None,
    name: str | None = None,
) -> str:
    """Start it, and return the process_id of the new run. It outlives this server.

    Args:
        argv, cwd, name: None takes what it was before.

    Raises:
        WrongState: no script or command, or it did not begin.
        NameTaken: a living process holds the name.
        BadArgument: it cannot be started like that.
    """
    if process.kind not in (Kind.SCRIPT, Kind.COMMAND):
        raise WrongState(f"{process.address} is a {process.kind}; only scripts and commands can be run again")
    command = list(argv) if argv is not None else command_of(process.argv)
    if not command:
        raise WrongState(f"the command line of {process.address} was not recorded; give one")
    folder = Path(cwd or process.cwd or Path.home())
    _check(command, folder)
    _check_free(paths, check_name(name or process.name))
    process_id = new_process_id()
    words = ["run", "--vault", str(paths.root), "--name", name or process.name, "--process-id", process_id]
    child = subprocess.Popen(
        [_interpreter(process), "-m", "tablevault_ext.cli", *words, *command],
        cwd=folder,
        env=_environment(paths),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    _wait_for_beginning(paths, process_id, child)
    # Whoever is our child must be waited for; the thread ends with it, or with this server.
    threading.Thread(target=child.wait, name="tablevault-reaper", daemon=True).start()
    return process_id


def _check(command: Sequence[str], folder: Path) -> None:
    if not folder.is_dir():
        raise BadArgument(f"the directory {str(folder)!r} is not there; nothing was started")
    first = command[0]
    if first == "-m":
        if len(command) < 2:
            raise BadArgument("-m needs the name of a module; nothing was started")
    elif not first.strip() or first.startswith("-"):
        raise BadArgument(f"{first!r} is no program; nothing was started")
    elif first.endswith(".py"):
        if not (folder / first).is_file():
            raise BadArgument(f"there is no script {first!r} in {folder}; nothing was started")
    elif shutil.which(str(folder / first) if os.sep in first else first) is None:
        raise BadArgument(f"there is no program {first!r}; nothing was started")


def _check_free(paths: VaultPaths, name: str) -> None:
    try:
        holder = read_process(paths, resolve(paths, name))
    except UnknownProcess:
        return
    if holder.name == name and holder.presence() is Presence.ALIVE and not holder.status.ended:
        raise NameTaken(f"{holder.address} is still there ({holder.status}); stop it first, or give another name")


def _interpreter(process: Process) -> str:
    """The Python under which `tablevault run` ran it before, if it did; else ours."""
    before = process.argv[0] if process.argv and command_of(process.argv) != process.argv else ""
    return before if before and shutil.which(before) else sys.executable


def _environment(paths: VaultPaths) -> dict[str, str]:
    """Ours, without what would make it the child of a recorded process or of a kernel of this server."""
    mine = {key: value for key, value in os.environ.items() if not key.startswith(("TABLEVAULT_", "JPY_"))}
    return mine | {ENV_HOME: str(paths.root)}


def _wait_for_beginning(paths: VaultPaths, process_id: str, child: subprocess.Popen[bytes]) -> None:
    deadline, wrapper = time.monotonic() + _PATIENCE, paths.wrapper_journal(process_id)
    while not (wrapper.exists() and wrapper.stat().st_size):
        code = child.poll()
        if code is not None and not wrapper.exists():
            raise WrongState(f"it could not be started (`tablevault run` ended with code {code}); nothing was recorded")
        if time.monotonic() > deadline:
            raise WrongState(f"it has not begun within {_PATIENCE:g} s; it may still (pid {child.pid})")
        time.sleep(0.02)
