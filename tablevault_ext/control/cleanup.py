"""Close what processes that are gone left open; never what belongs to a living one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ..errors import BadArgument
from ..identity import Presence
from ..journal.inbox import append_to_inbox, locked_inbox
from ..journal.process_state import read_process
from ..model import Status, now_us
from ..paths import VaultPaths
from ..store.operations import Operations, abandoned_operations


def close_operations(
    paths: VaultPaths, interval: float, selected: Sequence[int | datetime] | None, *, by: str = ""
) -> Operations:
    """Write down that lost processes are over, and take their control files away; return what that closed.

    Args:
        interval: seconds; what is younger stays open. Not looked at when ``selected`` is given.
        selected: timestamps of operations; unknown ones are ignored.

    An ending that the process or its wrapper wrote takes precedence should it appear later.
    """
    wanted = None if selected is None else {_timestamp(each) for each in selected}
    abandoned = abandoned_operations(paths)
    chosen = {
        operation.process_id
        for operation in abandoned
        if (operation.age >= interval if wanted is None else operation.timestamp in wanted)
    }
    closed = {process_id for process_id in sorted(chosen) if _close(paths, process_id, by)}
    return Operations(operation for operation in abandoned if operation.process_id in closed)


def _close(paths: VaultPaths, process_id: str, by: str) -> bool:
    with locked_inbox(paths, process_id):
        process = read_process(paths, process_id)
        # Looked at again under the lock: it may have come back to life on another host's clock, or ended.
        if process.status is not Status.LOST or process.presence() is not Presence.GONE or process.ended_at:
            return False
        line = {"e": "observed", "id": "", "at": now_us(), "ended": True, "status": Status.LOST.value, "by": by}
        append_to_inbox(paths, process_id, line)
    paths.control_block(process_id).unlink(missing_ok=True)
    paths.wake(process_id).unlink(missing_ok=True)
    return True


def _timestamp(value: object) -> int:
    if isinstance(value, datetime):
        return round(value.timestamp() * 1e6)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise BadArgument(f"a timestamp is an integer (see get_current_operations) or a datetime, not {value!r}")
