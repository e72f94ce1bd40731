"""Turn stops that wait at a checkpoint into stops now, when their grace is over and they said so."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping

from ..errors import VaultError
from ..identity import Identity
from ..journal.process_state import ProcessReader
from ..model import Action, Request, now_us
from ..paths import VaultPaths
from .ask import escalate_now

log = logging.getLogger("tablevault_ext")


class Escalation:
    """A step of the keeper: looks at living processes that have an inbox.

    The stop itself may take its grace, so it runs in a thread of its own.
    """

    def __init__(self, paths: VaultPaths, living: Callable[[], Mapping[str, Identity]]) -> None:
        self._paths = paths
        self._living = living
        self._readers: dict[str, ProcessReader] = {}
        self._escalated: set[str] = set()

    def step(self) -> None:
        living = self._living()
        self._readers = {process_id: reader for process_id, reader in self._readers.items() if process_id in living}
        for process_id in living:
            if not self._paths.inbox(process_id).exists():
                continue
            reader = self._readers.setdefault(process_id, ProcessReader(self._paths, process_id))
            for request in reader.read().requests.values():
                if self._is_due(request):
                    self._escalated.add(request.request_id)
                    threading.Thread(target=self._escalate, args=(request,), daemon=True).start()

    def _is_due(self, request: Request) -> bool:
        return (
            request.action is Action.STOP
            and request.escalate
            and request.wanted
            and not request.now
            and request.request_id not in self._escalated
            and now_us() - request.requested_at > request.grace * 1e6
        )

    def _escalate(self, request: Request) -> None:
        try:
            answer = escalate_now(self._paths, request, by=request.requested_by)
            log.info("%s: its grace was over: %s", request.target, answer)
        except VaultError as error:
            log.info("%s was not escalated: %s", request.target, error)
