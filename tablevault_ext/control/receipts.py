"""The target's word on its requests, written into its own journal."""

from __future__ import annotations

from typing import Any

from ..identity import boot_id
from ..journal.writer import JournalWriter
from ..model import Outcome, Request, Status, mono_us


class Receipts:
    """Writes what was decided, as of ``inbox_offset``: the bytes of the inbox that the decision knows of."""

    def __init__(self, journal: JournalWriter) -> None:
        self.inbox_offset = 0
        self._journal = journal

    def acknowledge(self) -> None:
        """The inbox was read up to here."""
        self._journal.append("inbox_read", inbox=self.inbox_offset)

    def write(
        self,
        request: Request,
        outcome: Outcome | None,
        status: Status | None,
        *,
        note: str = "",
        detail: dict[str, Any] | None = None,
    ) -> None:
        """A request was seen, or came out: ``outcome`` None means that it is not decided yet.

        Args:
            status: what the process is from now on; None leaves that as it was.
        """
        fields: dict[str, Any] = {}
        if outcome is not None:
            fields["outcome"] = outcome.value
        if status is not None:
            fields["status"] = status.value
        if note:
            fields["note"] = note
        if detail:
            fields["detail"] = detail
        self._append("request_seen" if outcome is None else "request_closed", request, fields)

    def add(self, request: Request, detail: dict[str, Any]) -> None:
        """Something was observed of a request that decides nothing."""
        self._append("request_detail", request, {"detail": detail})

    def release(self, request: Request) -> None:
        """A stop has aborted the run: the kernel may be ended now."""
        self._append("request_released", request, {"detail": {"released": True}})

    def _append(self, event: str, request: Request, fields: dict[str, Any]) -> None:
        where = {"id": request.request_id, "inbox": self.inbox_offset, "boot": boot_id(), "mono": mono_us()}
        self._journal.append(event, **where, **fields)
