"""The façade: `Vault`, one method a verb. What a method does is in the room that it calls.

What only looks and asks is in `client.py`; what belongs to a process that is recorded is here.
"""

from __future__ import annotations

import logging
import math
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from .client import VaultClient
from .errors import BadArgument, UnknownProcess, WrongState
from .journal.names import check_name, resolve
from .model import Kind, Process
from .paths import VaultPaths, open_vault
from .recording.progress import checked_count
from .recording.records import to_plain
from .session import Session, current_session, default_user, start_session

T = TypeVar("T")
log = logging.getLogger("tablevault_ext")

_MEANINGLESS = ("description_embedding_size", "log_file_location")
_vault: Vault | None = None


class Vault(VaultClient):
    """Record this process in a vault, and control others of the same vault.

    One per OS process: a second call with the same arguments (or with none) gives the same object. In a notebook
    or script that was named automatically, a later call gives it its name. Source: the process-management
    document of TableVault.

    Args:
        user_id: who runs this; the name of the OS user when None.
        process_name: what to call it; a notebook is otherwise called after its file, a script after its file
            (``-2`` is added while a living process has that name).
        parent_process_name: NAME, NAME#RUN or process_id of the process that started this one. Found through
            the environment when not given.
        parent_process_index: the parent's cell (``cells.seq``, from 0; a script's is 0).
        path: the vault's directory; TABLEVAULT_HOME or the user's data directory when None.
        description: free text, found by ``query_process_list(description_text=...)``.

    Raises:
        NameTaken: a living process holds that name.
        UnknownProcess: there is no such parent.
        WrongState: this process is recorded already, under another name or in another vault.
        VaultUnusable: the directory cannot be used.

    ``new_arango_db``, ``arango_*``, ``description_embedding_size`` and ``log_file_location`` are accepted, so that
    TableVault scripts run, and do nothing.

    >>> vault = Vault(user_id="ana", process_name="train")
    >>> vault.process_name
    'train'
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Vault:
        return _vault if _vault is not None else super().__new__(cls)

    def __init__(
        self,
        user_id: str | None = None,
        process_name: str | None = None,
        parent_process_name: str | Process = "",
        parent_process_index: int = 0,
        *,
        path: str | os.PathLike[str] | None = None,
        description: str = "",
        **ignored: Any,
    ) -> None:
        global _vault
        _heed_ignored(ignored)
        if process_name is not None:
            check_name(process_name)
        session = current_session()
        paths = _paths_of(session, path)
        parent = _parent(paths, parent_process_name, parent_process_index)
        if session is None:
            session = start_session(
                paths, name=process_name, user_id=user_id or "", parent=parent, description=description
            )
            _ensure_ingester(paths)
            session.forget_helpers()
        else:
            _rename(session, process_name, user_id or "", parent, description)
            session.attach_notebook()
        self._session = session
        self.user_id = user_id or getattr(self, "user_id", "") or default_user()
        if session.checkpoints is not None:
            # An instance attribute, not a method: one call less in inner loops.
            self.checkpoint_execution = session.checkpoints.checkpoint  # type: ignore[method-assign]
        _vault = self

    def __repr__(self) -> str:
        return f"Vault(process_name={self.process_name!r}, path={str(self.path)!r})"

    # Who we are

    @property
    def process_name(self) -> str:
        """The name of this process."""
        return self._session.process.name

    @property
    def process_id(self) -> str:
        """The id of this run."""
        return self._session.registered().process.process_id

    @property
    def _paths(self) -> VaultPaths:
        return self._session.process.paths

    def _own_id(self) -> str | None:
        return self.process_id

    # Checkpoints

    def checkpoint_execution(self) -> None:
        """A safe place to pause or stop: waits while a pause is asked for, raises on a stop, else only counts.

        Raises:
            ExecutionStopped: a stop was requested; ``finally`` blocks and ``atexit`` functions run.
            KeyboardInterrupt: Ctrl-C ended a pause.

        >>> vault = Vault()
        >>> for batch in range(3):
        ...     vault.checkpoint_execution()
        """

    async def acheckpoint_execution(self) -> None:
        """The same for coroutines: waits without blocking the event loop."""
        checkpoints = self._session.registered().checkpoints
        if checkpoints is not None:
            await checkpoints.acheckpoint()

    def no_checkpoint(self) -> AbstractContextManager[None]:
        """Put the automatic checkpoints (around cells, while idle) off: for a transaction that spans cells.

        A request that comes meanwhile waits, and says why.
        """
        checkpoints = self._session.checkpoints
        if checkpoints is None:
            raise WrongState(f"{self.process_name} has no control block, so there are no checkpoints to put off")
        return checkpoints.no_checkpoint()

    def on_stop(self, callback: Callable[[], Any]) -> Callable[[], Any]:
        """Call ``callback()`` once when this process is stopped, before ExecutionStopped is raised.

        It has the grace period of the stop (30 s by default). Usable as a decorator.
        """
        if not callable(callback):
            raise BadArgument("on_stop needs a function without arguments")
        if self._session.checkpoints is not None:
            self._session.checkpoints.stop.callbacks.append(callback)
        return callback

    def track(self, iterable: Iterable[T], total: float | None = None, desc: str = "") -> Iterator[T]:
        """Iterate with progress and a checkpoint after every step: rate and ETA appear wherever processes are shown.

        Args:
            total: number of steps; ``len(iterable)`` when None, if it has one.

        >>> sum(Vault().track([1, 2, 3], desc="adding"))
        6
        """
        if total is not None:
            total = checked_count(total, "total")
        return self._session.track(iterable, total, desc)

    def progress(self, done: float, total: float | None = None, desc: str = "") -> None:
        """Say how much is done, for work that is no plain loop. Written at most twice a second.

        >>> Vault().progress(3, 10, "epochs")
        """
        total = None if total is None else checked_count(total, "total")
        self._session.progress(checked_count(done, "done"), total, desc)

    # Records

    def create_record_list(self, item_name: str, column_names: Sequence[str]) -> None:
        """Make a named list of rows; the first `append_record` to a new name makes it, too."""
        _check_item(item_name)
        columns = [str(column) for column in column_names]
        self._session.create_list(item_name, columns)

    def append_record(self, item_name: str, record: Any) -> None:
        """Append one row: a dict, a list, a scalar, an array, a frame.

        Raises:
            BadRecord: no rule turns it into JSON; nothing was appended.

        >>> Vault().append_record("training_logs", {"epoch": 1, "loss": 0.25})
        """
        _check_item(item_name)
        self._session.append_record(item_name, to_plain(record))

    def create_description(
        self,
        item_name: str | Process,
        description: str,
        embedding: Sequence[float] | None = None,
        description_name: str = "BASE",
    ) -> None:
        """Describe a process, a record list, or anything with a name; again under the same name replaces it.

        Args:
            embedding: a vector of floats for `query_process_list(description_embedding=...)`.
        """
        item = item_name.process_id if isinstance(item_name, Process) else item_name
        _check_item(item)
        if not isinstance(description, str):
            raise BadArgument(f"a description must be text, not {type(description).__name__}")
        vector = None if embedding is None else _vector(embedding)
        self._session.registered().process.journal.append(
            "described", item=item, name=description_name, text=description, embedding=vector
        )


def _heed_ignored(ignored: dict[str, Any]) -> None:
    for name, value in ignored.items():
        if not (name in _MEANINGLESS or name == "new_arango_db" or name.startswith("arango_")):
            raise TypeError(f"Vault() got an unexpected keyword argument {name!r}")
        if name == "new_arango_db" and value:
            warnings.warn(
                "new_arango_db=True has no meaning here: a vault is never dropped, and nothing was", stacklevel=3
            )


def _paths_of(session: Session | None, path: str | os.PathLike[str] | None) -> VaultPaths:
    if session is None:
        return open_vault(path)
    present = session.process.paths
    if path is not None and open_vault(path, create=False).root != present.root:
        raise WrongState(f"this process is recorded in {present.root} already; one process, one vault")
    return present


def _parent(paths: VaultPaths, name: str | Process, index: int) -> tuple[str, int | None] | None:
    if isinstance(index, bool) or not isinstance(index, int) or index < 0:
        raise BadArgument(f"parent_process_index must be a cell's number, 0 or more, not {index!r}")
    if name == "" or name is None:
        return None
    try:
        return resolve(paths, name), index
    except UnknownProcess as error:
        raise UnknownProcess(f"{error.address} (as parent_process_name)", error.near) from None


def _rename(
    session: Session, name: str | None, user_id: str, parent: tuple[str, int | None] | None, description: str
) -> None:
    process = session.registered().process
    if name is None and parent is None and not description and not user_id:
        return
    if name is not None and process.explicit_name and name != process.name:
        raise WrongState(f"this process is recorded as {process.name!r} already and cannot also be {name!r}")
    if process.origin.kind is Kind.WORKER:
        return
    if name is not None and process.explicit_name and parent is None and not description:
        return
    process.rename(name or process.name, user_id=user_id, description=description, parent=parent)
    if session.checkpoints is not None:
        session.checkpoints.rename(process.name)


def _ensure_ingester(paths: VaultPaths) -> None:
    from .store.ingester import ensure_ingester

    ensure_ingester(paths)


def _check_item(name: Any) -> None:
    if not isinstance(name, str) or not name.strip():
        raise BadArgument(f"an item needs a name that is not empty, not {name!r}; nothing was written")


def _vector(embedding: Sequence[float]) -> list[float]:
    plain = to_plain(embedding)
    if not isinstance(plain, list) or not plain or not all(isinstance(x, int | float) for x in plain):
        raise BadArgument("an embedding must be a sequence of numbers that is not empty")
    if not all(math.isfinite(x) for x in plain):
        raise BadArgument("an embedding must hold finite numbers only")
    return [float(x) for x in plain]
