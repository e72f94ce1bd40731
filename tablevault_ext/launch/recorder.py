"""What the launching room writes into the vault.

A command or worker is a process with a journal that its launcher keeps, like `tablevault run` keeps one of its
child: ``PROCESS_ID.wrapper.ndjson``. What runs there may record itself under the same id (TABLEVAULT_RUN).

Tasks are lines of type ``task`` in the launching process's own journal, each with all that is known; the last
line of a task counts:

    task     id, status (pending, running, done, failed, cancelled, lost), name (of the function), executor, kind
             (process, thread), cell_seq?, items? (a chunk of a map), worker? (its process_id), attempt,
             submitted_at, started_at?, ended_at? (µs since the epoch), error?, traceback?
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Protocol

from ..identity import LINUX, Identity, boot_id, start_time
from ..journal import names
from ..journal.writer import JournalWriter
from ..model import Kind, Status, mono_us
from ..paths import VaultPaths

ENV_RUN = "TABLEVAULT_RUN"
ENV_PARENT = "TABLEVAULT_PARENT"
ENV_PARENT_CELL = "TABLEVAULT_PARENT_CELL"
ENV_HOME = "TABLEVAULT_HOME"


class Host(Protocol):
    """The process that launches: what this room needs to know of it. The façade brings the real one."""

    @property
    def paths(self) -> VaultPaths: ...

    def begin(self) -> None:
        """Something is about to be launched: begin to record this process, if nothing does yet."""

    def parent(self) -> tuple[str, int | None] | None:
        """(process_id, cell seq) of who launches here now; None when nothing records it."""

    def user(self) -> str: ...

    def journal(self) -> JournalWriter | None:
        """The launching process's own journal."""

    def checkpoint(self) -> None:
        """An automatic checkpoint, at which this process may be paused or stopped. Called while waiting."""

    def in_haste(self) -> bool:
        """Whether nothing is to be waited for at exit: this process is being stopped, or it is a kernel."""

    def end_tree(self, root: Identity, process_id: str, grace: float) -> None:
        """End a process and everything that it started."""


class ProcessRecord:
    """The journal of one command or worker, kept by its launcher."""

    def __init__(self, paths: VaultPaths, process_id: str) -> None:
        self.process_id = process_id
        self._paths = paths
        self._journal = JournalWriter(paths.wrapper_journal(process_id), process_id)
        self._identity: Identity | None = None
        self.name = ""
        self._ended = False

    def started(
        self,
        kind: Kind,
        identity: Identity,
        *,
        name: str,
        argv: Sequence[str],
        cwd: str | None,
        parent: tuple[str, int | None] | None,
        user: str = "",
        claim: names.Claim | None = None,
        path: str | None = None,
    ) -> None:
        """Write that it runs. ``claim`` is a name taken beforehand, otherwise it is only called ``name``."""
        self._identity, self.name = identity, name
        fields: dict[str, Any] = {
            "kind": kind.value,
            "identity": identity.to_json(),
            "name": claim.name if claim else name,
            "run": claim.run if claim else None,
            "user_id": user,
            "argv": list(argv),
            "cwd": cwd,
            "path": path,
        }
        if parent is not None:
            fields |= {"parent_id": parent[0], "parent_cell": parent[1]}
        self._journal.append("process_started", **{key: value for key, value in fields.items() if value is not None})
        if claim is not None:
            self.name = claim.name

    def ended(self, exit_code: int | None, *, stopped: bool = False, error: str | None = None) -> None:
        """Write how it ended, once. A negative ``exit_code`` is a signal's number; None is not known."""
        if self._ended:
            return
        self._ended = True
        signal = -exit_code if exit_code is not None and exit_code < 0 else None
        status = Status.FINISHED if exit_code == 0 else Status.FAILED
        if stopped:
            status = Status.STOPPED
        self._journal.append(
            "process_ended",
            status=status.value,
            exit_code=exit_code if signal is None else None,
            exit_signal=signal,
            error=error,
            boot=boot_id(),
            mono=mono_us(),
        )
        self._journal.close()

    def claim_name(self) -> None:
        """Take the name, so that it addresses this process: done for what runs for more than a moment.

        Not for all: a claim reads and locks, and a loop of quick commands would make the list of names long.
        """
        if self._identity is None or self._ended:
            return
        claim = names.claim_name(self._paths, self.name, self.process_id, self._identity, suffix=True)
        self.name = claim.name
        self._journal.append("process_named", name=claim.name, run=claim.run)


def child_environment(paths: VaultPaths, process_id: str) -> dict[str, str]:
    """What a child finds in its environment: its vault, and the id under which it may record itself."""
    me = _me(os.getpid())
    return {
        ENV_HOME: str(paths.root),
        ENV_PARENT: process_id,
        ENV_PARENT_CELL: "",
        ENV_RUN: f"{process_id}:{me.pid}:{me.start}",
    }


@lru_cache(maxsize=1)
def _me(pid: int) -> Identity:
    return Identity.mine()


def identify_child(pid: int) -> Identity:
    """The identity of a child that was not waited for yet: a quick one has ended, but is still to be seen."""
    me = _me(os.getpid())
    return Identity(pid, _start_of_child(pid), me.boot_id, me.pid_ns, me.host)


def _start_of_child(pid: int) -> int:
    if not LINUX:
        return start_time(pid) or 0
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:  # noqa: PTH123 - a Path takes longer
            stat = file.read()
    except OSError:
        return 0
    return int(stat[stat.rindex(b")") + 2 :].split()[19])
