"""`%vault_run`: `tablevault run` in the background of this notebook."""

from __future__ import annotations

import html
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass

from ..errors import BadArgument, UnknownProcess, VaultError
from ..model import Kind, Process, new_process_id
from ..vault import Vault

_PATIENCE = 20.0  # seconds to wait for the new process to have a name


@dataclass(frozen=True, slots=True)
class Started:
    """What was started; ``process`` is usable wherever a name is."""

    process: Process

    def __str__(self) -> str:
        name = self.process.name
        return (
            f"started {self.process.address} (pid {self.process.pid}); "
            f"%vault_logs {name} shows its output, %vault_stop {name} stops it"
        )

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return f"<span>{html.escape(str(self))}</span>"


def start_in_background(vault: Vault, command: list[str], *, name: str | None, description: str) -> Started:
    """Start a command under `tablevault run`; return when it has its name.

    It has a session of its own: interrupting the kernel does not reach it, stopping it does.

    Raises:
        VaultError: it could not be started; the message is that of `tablevault run`.
    """
    if not command:
        raise BadArgument("%vault_run needs a script, -m MODULE or a command; nothing was started")
    process_id = new_process_id()
    arguments = [sys.executable, "-m", "tablevault_ext.cli", "run", "--vault", vault.path, "--process-id", process_id]
    arguments += ["--name", name] if name is not None else []
    arguments += ["--description", description] if description else []
    with tempfile.TemporaryFile() as complaint:
        child = subprocess.Popen(
            [*arguments, "--", *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=complaint,
            start_new_session=True,
        )
        # Somebody has to take its exit code, or it stays behind as a zombie.
        threading.Thread(target=child.wait, name="tablevault-run", daemon=True).start()
        return Started(_when_started(vault, process_id, child, complaint))


def _when_started(vault: Vault, process_id: str, child: subprocess.Popen[bytes], complaint: object) -> Process:
    deadline = time.monotonic() + _PATIENCE
    while True:
        over = child.poll() is not None
        try:
            process = vault.get_process(process_id)
        except UnknownProcess:
            process = None
        if process is not None and process.pid is not None and (over or _is_up(process)):
            return process
        if over:
            raise VaultError(_last_line(complaint) or f"it ended at once, with exit code {child.returncode}")
        if time.monotonic() > deadline:
            raise VaultError(
                f"{process_id} did not start within {_PATIENCE:g} s; %vault_ps --all shows what became of it"
            )
        time.sleep(0.02)


def _is_up(process: Process) -> bool:
    """A command is when it runs; a script when it records itself, for only then can it be asked to pause."""
    return process.kind is Kind.COMMAND or process.controllable or process.status.ended


def _last_line(complaint: object) -> str:
    complaint.seek(0)  # type: ignore[attr-defined]
    lines = complaint.read().decode("utf-8", "replace").strip().splitlines()  # type: ignore[attr-defined]
    return str(lines[-1]).removeprefix("tablevault: ") if lines else ""
