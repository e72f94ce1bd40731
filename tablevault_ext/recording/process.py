"""One recorded process: its name, its journal, its control block, from its first event to its ending."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Any

from ..errors import VaultUnusable
from ..identity import Identity, boot_id
from ..journal import names
from ..journal.control_block import ControlBlock
from ..journal.writer import JournalWriter
from ..model import Kind, Status, mono_us, new_process_id
from ..paths import ENV_HOME, VaultPaths
from .origin import Origin

log = logging.getLogger("tablevault_ext")

ENV_PARENT = "TABLEVAULT_PARENT"
ENV_PARENT_CELL = "TABLEVAULT_PARENT_CELL"
ENV_RUN = "TABLEVAULT_RUN"
"""PROCESS_ID:PID:START of the `tablevault run` that started this process and lends it its id."""


class RecordedProcess:
    """The record of this OS process in a vault.

    Args:
        name: as the user gave it; None takes the origin's, with -2, -3, … while a living process holds it.
        parent: (process_id, cell seq) as told; None takes what the environment says.

    Raises:
        NameTaken: a living process holds ``name``.
        VaultUnusable: the journal cannot be made.
    """

    def __init__(
        self,
        paths: VaultPaths,
        origin: Origin,
        *,
        name: str | None = None,
        user_id: str = "",
        parent: tuple[str, int | None] | None = None,
        description: str = "",
    ) -> None:
        self.paths = paths
        self.origin = origin
        self.identity = Identity.mine()
        self.pid = os.getpid()
        self.explicit_name = name is not None
        self.ended = False
        lent = _lent_id(paths)
        self.process_id = lent or new_process_id()
        self.taken_over = lent is not None
        self.claim = self._claim(name)
        self.parent = parent or (None if self.taken_over else environment_parent(paths))
        self.journal = self._open_journal()
        self.block: ControlBlock | None = None
        self.journal.append("process_started", **self._first_words(user_id, description))
        try:
            self.block = ControlBlock(paths, self.process_id)
        except OSError as error:
            log.warning("%s is recorded, but cannot be controlled: no control block (%s)", self.name, error)
            self.journal.append("uncontrolled", reason=str(error))
        self._tell_children()

    @property
    def name(self) -> str:
        return self.claim.name

    @property
    def address(self) -> str:
        return f"{self.claim.name}#{self.claim.run}"

    def rename(self, name: str, *, user_id: str, description: str, parent: tuple[str, int | None] | None) -> None:
        """Give a process that was named automatically the name its user chose."""
        old = self.claim
        if name != old.name:
            self.claim = names.claim_name(self.paths, name, self.process_id, self.identity)
            names.release_name(self.paths, old.name, self.process_id)
        self.explicit_name = True
        fields: dict[str, Any] = {"name": self.claim.name, "run": self.claim.run}
        fields |= {"user_id": user_id, "description": description}
        if parent is not None:
            self.parent = parent
            fields |= {"parent_id": parent[0], "parent_cell": parent[1]}
        self.journal.append("process_named", **fields)

    def end(
        self,
        status: Status,
        *,
        exit_code: int | None = None,
        exit_signal: int | None = None,
        error: str | None = None,
    ) -> None:
        """Write the ending, once, and take the control block away. Never raises: the process is going down."""
        if self.ended or os.getpid() != self.pid:
            return
        self.ended = True
        try:
            self.journal.append(
                "process_ended",
                status=status.value,
                exit_code=exit_code,
                exit_signal=exit_signal,
                error=error,
                boot=boot_id(),
                mono=mono_us(),
            )
            self.journal.close()
            if self.block is not None:
                self.block.remove()
        except OSError:
            log.exception("the ending of %s could not be written", self.name)

    def let_go_after_fork(self) -> None:
        """In a forked child: this record is the parent's; touch none of its files."""
        self.journal.abandon_after_fork()
        if self.block is not None:
            self.block.release()

    def _claim(self, name: str | None) -> names.Claim:
        if name is None and self.taken_over:
            lent = names.claim_of(self.paths, self.process_id)
            if lent is not None:
                names.hand_over(self.paths, lent, self.identity)
                return lent
        return names.claim_name(
            self.paths, name or self.origin.name, self.process_id, self.identity, suffix=name is None
        )

    def _open_journal(self) -> JournalWriter:
        try:
            return JournalWriter(self.paths.journal(self.process_id), self.process_id)
        except OSError as error:
            raise VaultUnusable(
                f"nothing can be recorded in {self.paths.root}: {error.strerror}; mend that or choose another path"
            ) from error

    def _first_words(self, user_id: str, description: str) -> dict[str, Any]:
        origin = self.origin
        fields: dict[str, Any] = {
            "kind": origin.kind.value,
            "status": Status.RUNNING.value,
            "identity": self.identity.to_json(),
            "name": self.claim.name,
            "run": self.claim.run,
            "user_id": user_id,
            "path": origin.path,
            "argv": [str(argument) for argument in sys.orig_argv],
            "cwd": _cwd(),
            "python": sys.version.split()[0],
            "kernel_id": origin.kernel_id,
            "notebook": origin.notebook,
            "description": description or None,
        }
        if self.parent is not None:
            fields |= {"parent_id": self.parent[0], "parent_cell": self.parent[1]}
        return {key: value for key, value in fields.items() if value is not None}

    def _tell_children(self) -> None:
        """Children find their parent, and the vault, in their environment."""
        os.environ[ENV_PARENT] = self.process_id
        os.environ[ENV_PARENT_CELL] = "0" if self.origin.kind is Kind.SCRIPT else ""
        os.environ[ENV_HOME] = str(self.paths.root)
        os.environ.pop(ENV_RUN, None)


def environment_parent(paths: VaultPaths) -> tuple[str, int | None] | None:
    """The recorded process that started this one, as the environment says, if this vault knows it."""
    parent = os.environ.get(ENV_PARENT, "")
    try:
        known = bool(parent) and (paths.journal(parent).exists() or paths.wrapper_journal(parent).exists())
    except ValueError:
        return None
    if not known:
        return None
    cell = os.environ.get(ENV_PARENT_CELL, "")
    return parent, int(cell) if cell.isdecimal() else None


def _lent_id(paths: VaultPaths) -> str | None:
    """The id that `tablevault run` lends: only to its own child, and only to the first that asks."""
    process_id, _, wrapper = os.environ.get(ENV_RUN, "").partition(":")
    pid, _, start = wrapper.partition(":")
    if not (pid.isdecimal() and start.isdecimal()) or int(pid) != os.getppid():
        return None
    parent = Identity.of(int(pid))
    if parent is None or parent.start != int(start):
        return None
    try:
        return None if paths.journal(process_id).exists() else process_id
    except ValueError:
        return None


def _cwd() -> str | None:
    try:
        return str(Path.cwd())
    except OSError:
        return None  # it was removed under us
