"""How tasks come into the vault: a line of the launcher's journal for what they have become, a moment later."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

from .reaper import look_later
from .recorder import Host
from .tasks import Task, TaskStatus

MOMENT = 0.05
"""Seconds after which a change is written. What begins and ends within them has one line instead of three."""


class TaskRows:
    """Writes the rows of one pool's tasks; each line holds all that is known, the last one counts."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._changed: deque[Task] = deque()
        self._armed = False
        self._writing = threading.Lock()

    def taken(self, task: Task) -> None:
        """A task is new."""
        self._changed.append(task)
        if not self._armed:
            self._armed = True
            look_later(self.write, MOMENT)

    def changed(self, task: Task) -> None:
        """A task may be something else than its row says."""
        # Not told yet: whoever tells it will mark it as told first and look at it then.
        if task.told is not None:
            self.taken(task)

    def write(self) -> None:
        """Write what has changed up to now."""
        self._armed = False
        with self._writing:
            while self._changed:
                self._tell(self._changed.popleft())

    def _tell(self, task: Task) -> None:
        before, task.told = task.told, task.told or TaskStatus.PENDING
        status = task.status
        journal = self._host.journal()
        if journal is None or status is before:
            return
        task.told = status
        journal.append("task", **_line(task, status))


def _line(task: Task, status: TaskStatus) -> dict[str, Any]:
    fields = {
        "id": task.task_id,
        "status": status.value,
        "name": task.function,
        "executor": task.executor_id,
        "kind": task.kind,
        "cell_seq": task.cell_seq,
        "items": task.items,
        "worker": task.worker,
        "attempt": task.attempt,
        "submitted_at": task.submitted_at,
        "started_at": task.started_at,
        "ended_at": task.ended_at,
    }
    return {key: value for key, value in fields.items() if value is not None} | task.words
