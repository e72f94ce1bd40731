"""The stop that a process is under: it sticks until the process ends, or the run is aborted and the kernel kept."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from ..errors import ExecutionStopped
from ..state_machine import Desk
from .receipts import Receipts

log = logging.getLogger("tablevault_ext")

_GRACE = 30.0


class StickyStop:
    """What is asked of a stop, whoever swallowed its exception meanwhile.

    Args:
        error_class: what a stop raises here; pool workers pass an ordinary Exception.
    """

    def __init__(self, name: str, desk: Desk, receipts: Receipts, error_class: type[BaseException]) -> None:
        self.callbacks: list[Callable[[], Any]] = []
        self.name = name
        self._desk = desk
        self._receipts = receipts
        self._error_class = error_class
        self._called_back = False

    @property
    def keeps_kernel(self) -> bool:
        """It asked to keep the kernel's memory."""
        return bool(self._desk.stops) and all(stop.keep_kernel for stop in self._desk.stops)

    @property
    def grace(self) -> float:
        """Seconds that it leaves to what it ends."""
        return max((stop.grace for stop in self._desk.stops), default=_GRACE)

    def error(self) -> BaseException:
        """The exception that it raises at every checkpoint."""
        if not issubclass(self._error_class, ExecutionStopped):
            return self._error_class(f"{self.name} was stopped")
        if not self._desk.stops:
            return self._error_class(self.name)
        stop = self._desk.stops[-1]
        return self._error_class(
            self.name, requested_by=stop.requested_by, reason=stop.reason, request_id=stop.request_id
        )

    def run_callbacks(self) -> None:
        """Let training save what it has: once, in the thread that stops."""
        if self._called_back:
            return
        self._called_back = True
        for callback in self.callbacks:
            try:
                callback()
            except Exception:
                log.exception("an on_stop callback of %s failed", self.name)

    def note(self, detail: dict[str, Any]) -> None:
        """Add what was observed to its receipts."""
        if detail:
            for stop in self._desk.stops:
                self._receipts.add(stop, detail)

    def forget(self) -> None:
        """It is over: the callbacks will be called for the next one."""
        self._called_back = False
