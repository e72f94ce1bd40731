"""Say of each pending request what it waits for."""

from __future__ import annotations

import time

from ..journal.control_block import read_control
from ..journal.servers import serving_kernel
from ..model import Action, Kind, Process, Request
from ..paths import VaultPaths
from .checkpoint import HELD
from .waiting import WaitFacts, read_wait_state, why_not_yet


def explain(paths: VaultPaths, process: Process) -> Process:
    """Fill ``waiting_for`` of the pending requests of a living process, from what can be seen of it now."""
    for request in process.requests.values():
        if request.pending and not process.status.ended:
            request.waiting_for = _reason(paths, process, request)
    return process


def _reason(paths: VaultPaths, process: Process, request: Request) -> str:
    if process.identity is None or process.identity.presence() != "alive":
        return f"{process.address} cannot be seen from here"
    if request.foreseen is not None:
        return request.foretold
    if request.now:
        return "the requester has not reported yet what it saw; it may have ended in between"
    if request.action is Action.STOP and request.seen_at:
        return _why_not_ended(paths, process, request)
    reading = read_control(paths.control_block(process.process_id))
    since = None
    if reading is not None and reading.last_checkpoint:
        since = max(0.0, (time.monotonic_ns() - reading.last_checkpoint) / 1e9)
    return why_not_yet(
        WaitFacts(
            action=request.action.value,
            name=process.address,
            os_state=read_wait_state(process.identity),
            checkpoints=reading.checkpoints if reading is not None else None,
            since_checkpoint=since,
            usual_gap=(reading.usual_gap or None) if reading is not None else None,
            cell=reading.cell if reading is not None else None,
            line=reading.line if reading is not None and not reading.note else None,
            has_checkpoints=process.controllable,
            held_by=HELD if reading is not None and reading.note == HELD else "",
        )
    )


def _why_not_ended(paths: VaultPaths, process: Process, request: Request) -> str:
    """A stop that was seen: the exception is on its way, or the kernel waits for its server."""
    if process.kind is not Kind.NOTEBOOK or not request.detail.get("released"):
        return "the stop was raised; its finally blocks, atexit functions or swallowed exceptions still run"
    if request.keep_kernel:
        return "the run is aborted; the kernel is kept as soon as its queue has been empty for a second"
    if serving_kernel(paths, process) is not None:
        return "the run is aborted; its Jupyter Server is about to end the kernel"
    return (
        "the run is aborted and no cell runs any more, but no Jupyter Server with this extension looks after the "
        "kernel: shut it down in its front end, or use now=True"
    )
