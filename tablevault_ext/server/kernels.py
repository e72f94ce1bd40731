"""The kernels of this Jupyter Server: which notebook each runs, and ending those whose stop was asked for."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

import psutil
from jupyter_core.utils import ensure_async

from ..control.now import is_suspended_now, marks_of
from ..control.requests import make_request
from ..control.tree import resume_now
from ..errors import VaultError
from ..identity import Presence
from ..model import Action, Kind, Process, Request
from ..paths import VaultPaths

log = logging.getLogger("tablevault_ext")

_FRESH = 0.25  # seconds for which the places of the notebooks are taken as known
_AGAIN = 5.0  # seconds until a kernel that could not be ended is tried again


def awaits_ending(process: Process) -> bool:
    """Whether a recorded kernel waits for its server to end it.

    That is so when the stop at a checkpoint has aborted the run and released the kernel, or when a stop *now* was
    asked for and its requester leaves the kernel to us. With ``keep_kernel`` the kernel goes on by itself.
    """
    if process.kind is not Kind.NOTEBOOK or process.kernel_id is None or process.status.ended:
        return False
    stops = _pending_stops(process)
    return any(r.now or (bool(r.detail.get("released")) and not r.keep_kernel) for r in stops)


def _pending_stops(process: Process) -> list[Request]:
    return [r for r in process.requests.values() if r.pending and r.action is Action.STOP and not r.actor]


def abort_run(paths: VaultPaths, process: Process) -> None:
    """See to it that a kernel which is about to be shut down begins no further cell.

    Shutting down begins with an interrupt, after which ipykernel may still run what is queued. So a stop *now* is
    made a stop at a checkpoint as well, which the kernel itself keeps; and one that is suspended goes on to heed it.
    """
    stop = next((r for r in _pending_stops(process) if r.now), None)
    if stop is None:
        return
    with contextlib.suppress(VaultError):  # without checkpoints, or ended meanwhile
        make_request(paths, process.process_id, Action.STOP, by=stop.requested_by, reason=stop.reason)
    if process.identity is not None and is_suspended_now(process):
        resume_now(process.identity, marks_of(paths, process.process_id))


class Kernels:
    """To be used on the event loop only, like the managers that it asks.

    Args:
        prepare: awaited before a kernel is ended; see `abort_run`.
    """

    def __init__(
        self, kernel_manager: Any, session_manager: Any, prepare: Callable[[Process], Awaitable[None]]
    ) -> None:
        self._prepare = prepare
        self._kernels = kernel_manager
        self._sessions = session_manager
        self._places: dict[str, str] = {}
        self._looked_at = 0.0
        self._ending: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def places(self) -> dict[str, str]:
        """The current path of every notebook: kernel id → path relative to the server's root. Renames are followed."""
        if time.monotonic() - self._looked_at > _FRESH:
            self._looked_at = time.monotonic()
            try:
                sessions = await ensure_async(self._sessions.list_sessions())
            except Exception:
                log.exception("the sessions of this server cannot be listed")
                return self._places
            # A console may share the kernel of a notebook; the notebook's path is the one to show.
            ordered = sorted(sessions, key=lambda session: session.get("type") == "notebook")
            self._places = {s["kernel"]["id"]: s["path"] for s in ordered if s.get("kernel") and s.get("path")}
        return self._places

    def end_soon(self, process: Process) -> None:
        """Begin to end the kernel of a process, unless it is on its way or not ours."""
        kernel_id = process.kernel_id
        if kernel_id is None or kernel_id in self._ending or kernel_id not in self._kernels:
            return
        if not self._is_ours(process, kernel_id):
            return
        self._ending.add(kernel_id)
        task = asyncio.get_running_loop().create_task(self._end(kernel_id, process))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _end(self, kernel_id: str, process: Process) -> None:
        """As JupyterLab does it: with the session goes its kernel, and nothing restarts it."""
        try:
            log.info("ending the kernel of %s, whose stop was asked for", process.address)
            await self._prepare(process)
            sessions = await ensure_async(self._sessions.list_sessions())
            own = [session["id"] for session in sessions if session["kernel"]["id"] == kernel_id]
            if own:
                await ensure_async(self._sessions.delete_session(own[0]))
            elif kernel_id in self._kernels:
                await ensure_async(self._kernels.shutdown_kernel(kernel_id))
            self._looked_at = 0.0
        except Exception:
            log.exception("the kernel of %s could not be ended; it is tried again", process.address)
            await asyncio.sleep(_AGAIN)
        finally:
            self._ending.discard(kernel_id)

    def _is_ours(self, process: Process, kernel_id: str) -> bool:
        """Whether the recorded process is the one that our kernel manager started, or a child of that."""
        provisioner = getattr(self._kernels.get_kernel(kernel_id), "provisioner", None)
        started = getattr(provisioner, "pid", None)
        if started is None:
            return True  # a kernel elsewhere; its id is all that there is
        who = process.identity
        if who is None or who.presence() is not Presence.ALIVE:
            return False
        try:
            return started == who.pid or started in [parent.pid for parent in psutil.Process(who.pid).parents()]
        except psutil.Error:
            return False
