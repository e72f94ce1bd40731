"""What a pool is to the rest of this room, so that another engine (Dask) can stand in its place."""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable
from typing import Any, Protocol

from ..identity import Identity
from .tasks import Task

RETRIES = 3
"""How often a task that was declared idempotent is run again after its worker was lost."""


class Pool(Protocol):
    """Runs calls elsewhere."""

    executor_id: str
    kind: str
    max_workers: int

    @property
    def closed(self) -> bool: ...

    def submit(
        self,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        *,
        task_id: str | None = None,
        idempotent: bool = False,
    ) -> Task:
        """Take a call in; it runs when a worker is free.

        Raises:
            ExecutorClosed: the pool was shut down.
            NotPicklable: the call cannot travel to a worker.
        """

    def prepare(self, function: Callable[..., Any]) -> Any:
        """Make a function ready for many `submit_chunk`."""

    def submit_chunk(
        self,
        function: Callable[..., Any],
        prepared: Any,
        items: list[tuple[Any, ...]],
        *,
        seconds: float = math.inf,
        idempotent: bool = False,
    ) -> Task:
        """Take in the calls of one function with many arguments, as one task.

        Its result is the list of their results, shorter than ``items`` when ``seconds`` were over before the end.
        """

    def shutdown(self, *, wait: bool = True, cancel_pending: bool = False) -> None:
        """Take no more tasks; let those taken in run (or cancel what has not begun), then end the workers."""

    def end_now(self) -> None:
        """End the workers at once; what ran is lost, what waited is cancelled."""

    def workers(self) -> list[Identity]:
        """The processes that work for it."""

    def counts(self) -> dict[str, int]:
        """How many tasks wait and run."""


def new_executor_id(kind: str) -> str:
    return f"{kind}-pool-{secrets.token_hex(4)}"
