"""`tablevault run`: start a script or any command, see the whole truth of how it ends, keep what it prints."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from ..errors import BadArgument
from ..identity import Identity, boot_id
from ..journal import names
from ..journal.log_files import LogWriter
from ..journal.log_pump import LogPump
from ..journal.reader import read_control_events
from ..journal.writer import JournalWriter
from ..model import STOPPED_EXIT_CODE, Kind, Status, mono_us, new_process_id
from ..paths import ENV_HOME, VaultPaths
from ..store.ingester import ensure_ingester
from .process import ENV_PARENT, ENV_PARENT_CELL, ENV_RUN, environment_parent

_DRAIN = 5.0  # seconds to take what is in the pipes; a daemon that inherited them may hold them for ever


def run_wrapped(
    paths: VaultPaths,
    command: Sequence[str],
    *,
    name: str | None = None,
    user_id: str = "",
    description: str = "",
    process_id: str | None = None,
) -> int:
    """Run a command to its end and record it; return the exit code to leave with (128 + signal if killed).

    ``script.py ARGS`` and ``-m module ARGS`` are run by this Python with recording on; anything else as it is.
    There is one process row: this wrapper writes a journal of its own, and the child takes the id over if it
    records itself. Whoever starts this in the background chooses ``process_id`` and thereby knows it beforehand.

    Raises:
        BadArgument: the command cannot be started; nothing was recorded.
        NameTaken: a living process holds ``name``.
    """
    argv, kind, default_name = _plan(command)
    process_id = process_id or new_process_id()
    me = Identity.mine()
    claim = names.claim_name(paths, name or default_name, process_id, me, suffix=name is None)
    parent = environment_parent(paths)
    environment = dict(os.environ)
    environment |= {ENV_RUN: f"{process_id}:{me.pid}:{me.start}", ENV_HOME: str(paths.root)}
    environment |= {ENV_PARENT: process_id, ENV_PARENT_CELL: ""}
    environment.setdefault("PYTHONUNBUFFERED", "1")  # a log that is read while it is written
    try:
        child = subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except OSError as error:
        names.release_name(paths, claim.name, process_id)
        raise BadArgument(f"{command[0]!r} cannot be started: {error.strerror}; nothing was recorded") from error
    identity = Identity.of(child.pid) or Identity(child.pid, 0, me.boot_id, me.pid_ns, me.host)
    names.hand_over(paths, claim, identity)
    journal = JournalWriter(paths.wrapper_journal(process_id), process_id)
    fields: dict[str, Any] = {
        "kind": kind.value,
        "identity": identity.to_json(),
        "name": claim.name,
        "run": claim.run,
        "user_id": user_id,
        "argv": list(command),
        "cwd": str(Path.cwd()),
        "description": description or None,
    }
    if parent is not None:
        fields |= {"parent_id": parent[0], "parent_cell": parent[1]}
    journal.append("process_started", **{key: value for key, value in fields.items() if value is not None})
    ensure_ingester(paths)
    with _forwarding_signals(child):
        pumps = _start_pumps(child, paths.logs(process_id))
        code = child.wait()
        for pump in pumps:
            pump.finish(_DRAIN)
    _record_ending(paths, journal, process_id, code)
    return 128 - code if code < 0 else code


def _plan(command: Sequence[str]) -> tuple[list[str], Kind, str]:
    """What to start, of which kind it is, and what to call it."""
    first = command[0]
    bootstrap = [sys.executable, "-m", "tablevault_ext.bootstrap"]
    if first == "-m":
        if len(command) < 2:
            raise BadArgument("-m needs the name of a module")
        return [*bootstrap, *command], Kind.SCRIPT, command[1]
    if first.endswith(".py"):
        if not Path(first).is_file():
            raise BadArgument(f"there is no script {first!r}; nothing was started")
        return [*bootstrap, *command], Kind.SCRIPT, Path(first).name
    return list(command), Kind.COMMAND, Path(first).name


def _record_ending(paths: VaultPaths, journal: JournalWriter, process_id: str, code: int) -> None:
    own = [e for e in read_control_events(paths.journal(process_id)) if e["e"] == "process_ended"]
    if code == 0:
        status = Status.FINISHED
    elif code == STOPPED_EXIT_CODE and own and own[-1]["status"] == Status.STOPPED:
        status = Status.STOPPED
    else:
        status = Status.FAILED
    error = None
    if code < 0:
        error = f"killed by {signal_name(-code)}"
    journal.append(
        "process_ended",
        status=status.value,
        exit_code=code if code >= 0 else None,
        exit_signal=-code if code < 0 else None,
        error=error,
        boot=boot_id(),
        mono=mono_us(),
    )
    journal.close()


def signal_name(number: int) -> str:
    """SIGKILL for 9; "signal 99" where there is no name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _start_pumps(child: subprocess.Popen[bytes], folder: Path) -> list[LogPump]:
    """Copy the child's output to ours and to its log."""
    pumps = []
    for stream, ours, name in ((child.stdout, sys.stdout, "stdout"), (child.stderr, sys.stderr, "stderr")):
        if stream is None:
            continue
        ours.flush()
        pump = LogPump(os.dup(stream.fileno()), LogWriter(folder, name), _descriptor(ours))
        stream.close()
        pump.start()
        pumps.append(pump)
    return pumps


def _descriptor(stream: TextIO) -> int | None:
    try:
        return stream.fileno()
    except (OSError, ValueError):  # replaced by something without a file, as under pytest
        return None


@contextmanager
def _forwarding_signals(child: subprocess.Popen[bytes]) -> Iterator[None]:
    """Ctrl-C reaches the child by itself, being of our terminal's group; TERM and HUP are passed on."""

    def forward(number: int, frame: Any) -> None:
        if child.poll() is None:
            child.send_signal(number)

    before: dict[int, Any] = {signal.SIGINT: signal.signal(signal.SIGINT, signal.SIG_IGN)}
    for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
        before[number] = signal.signal(number, forward)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
