"""The verbs that look and ask: what the command line, the server and `Vault` itself have in common."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from .errors import BadArgument
from .journal.names import list_names, resolve
from .journal.process_state import read_process
from .model import Action, Process, Request
from .paths import VaultPaths, open_vault
from .session import default_user

if TYPE_CHECKING:
    import duckdb

    from .control.postmortem import PostMortem
    from .control.vitals import Vitals
    from .journal.log_lines import LogLine
    from .store.operations import Operations
    from .store.prune import PrunePlan
    from .store.rebuild import Rebuilt

_STREAMS = ("stdout", "stderr")


class VaultClient:
    """Look into a vault and make requests of its processes, without being recorded oneself.

    What a recorded process uses is `Vault`, which does all this, too.

    Args:
        path: the vault's directory; TABLEVAULT_HOME or the user's data directory when None.
        user_id: who asks; the name of the OS user when None.
        create: make the vault if there is none.

    Raises:
        VaultUnusable: there is no such vault, or it cannot be used.

    >>> client = VaultClient()
    >>> isinstance(client.list_processes(all=True), list)
    True
    """

    def __init__(
        self, path: str | os.PathLike[str] | None = None, *, user_id: str | None = None, create: bool = False
    ) -> None:
        self._opened = open_vault(path, create=create)
        self.user_id = user_id or default_user()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(path={self.path!r})"

    @property
    def path(self) -> str:
        """The vault's directory."""
        return str(self._paths.root)

    @property
    def _paths(self) -> VaultPaths:
        return self._opened

    def _own_id(self) -> str | None:
        return None  # whoever uses a client is not recorded by it

    # Requests

    def stop_execution(
        self,
        name: str | Process,
        *,
        now: bool = False,
        keep_kernel: bool = False,
        grace: float = 30.0,
        escalate: bool = False,
        reason: str = "",
        wait: float | None = None,
    ) -> Request:
        """Stop a process at its next checkpoint, or its whole tree now.

        Args:
            name: NAME (its newest run), NAME#RUN, a process_id, or a `Process`; NAME/ACTOR for one of its actors
                alone (pid or registered name).
            now: end the whole tree with signals: SIGTERM, ``grace`` seconds, SIGKILL. Commands have no
                checkpoints: for them this is what happens.
            keep_kernel: abort a notebook's run but keep the kernel and its memory.
            grace: seconds between asking and killing.
            escalate: turn a stop at a checkpoint into one *now* after ``grace`` seconds; not with ``keep_kernel``.
            reason: shown to whoever asks why.
            wait: seconds to wait for the effect; what it still waits for is printed when they are over.

        Returns:
            The request as it stands, also when ``wait`` is over.

        Raises:
            UnknownProcess, ProcessEnded, WrongState, NoControl, BadArgument: nothing was requested.
        """
        grace = _seconds(grace, "grace")
        if isinstance(name, str) and "/" in name:
            return self._stop_actor(name, reason, wait)
        return self._request(
            Action.STOP, name, now, reason, wait, keep_kernel=keep_kernel, grace=grace, escalate=escalate
        )

    def pause_execution(
        self, name: str | Process, *, now: bool = False, reason: str = "", wait: float | None = None
    ) -> Request:
        """Pause a process at its next checkpoint, with its children; or freeze its whole tree now.

        Arguments, result and errors as for `stop_execution`.
        """
        return self._request(Action.PAUSE, name, now, reason, wait)

    def resume_execution(self, name: str | Process, *, wait: float | None = None) -> Request:
        """Let a paused process go on; a pause that has not taken effect yet is withdrawn.

        Raises:
            WrongState: it is not paused.
        """
        return self._request(Action.RESUME, name, False, "", wait)

    def withdraw_request(self, request: Request) -> Request:
        """Take a request back before it takes effect.

        Raises:
            WrongState: it has been decided already.
        """
        from .control import requests

        return requests.withdraw(self._paths, request, by=self.user_id)

    def get_request(self, request: Request) -> Request:
        """A request as it stands now."""
        return read_process(self._paths, request.process_id).requests.get(request.request_id, request)

    def _stop_actor(self, address: str, reason: str, wait: float | None) -> Request:
        from .control import requests

        name, _, actor = address.partition("/")
        if not actor:
            raise BadArgument(f"{address!r} names no actor; write NAME/ACTOR")
        request = requests.stop_actor(self._paths, resolve(self._paths, name), actor, by=self.user_id, reason=reason)
        return request if wait is None else requests.wait_for(self._paths, request, _seconds(wait, "wait"))

    def _request(
        self, action: Action, name: str | Process, now: bool, reason: str, wait: float | None, **how: Any
    ) -> Request:
        if wait is not None:
            wait = _seconds(wait, "wait")
        if not isinstance(reason, str):
            raise BadArgument(f"reason must be text, not {type(reason).__name__}")
        from .control.ask import ask

        process_id = resolve(self._paths, name)
        if wait is not None and process_id == self._own_id():
            raise BadArgument("a process that waits for itself waits for ever; leave wait= out")
        return ask(self._paths, process_id, action, now=now, by=self.user_id, reason=reason, wait=wait, **how)

    # What runs, and what ran

    def list_processes(
        self,
        *,
        all: bool = False,  # noqa: A002 - the word users expect
        kind: str | None = None,
        status: str | None = None,
        limit: int | None = None,
    ) -> list[Process]:
        """The processes of this vault, newest first: the living ones, or all that ever ran."""
        from .control.explain import explain
        from .store import queries

        found = queries.list_processes(self._paths, live_only=not all, kind=kind, status=status, limit=limit)
        return [explain(self._paths, process) if process.request else process for process in found]

    def get_process(self, name: str | Process, run: int | None = None) -> Process:
        """One process as it stands now, from its own files.

        Raises:
            UnknownProcess: with near names.
        """
        from .control.explain import explain

        if run is not None:
            if not isinstance(name, str):
                raise BadArgument("run= goes with a name")
            name = f"{name}#{run}"
        return explain(self._paths, read_process(self._paths, resolve(self._paths, name)))

    def read_vitals(self, processes: Iterable[Process] | None = None) -> dict[str, Vitals]:
        """What living processes use and how far they have come, by process id; of all when None are given.

        >>> [vitals.eta for vitals in VaultClient().read_vitals().values()]
        []
        """
        from .control.vitals import read_vitals

        return read_vitals(self._paths, self.list_processes() if processes is None else processes)

    def process_names(self) -> list[str]:
        """Every name that was ever used in this vault, sorted."""
        return list_names(self._paths)

    def list_cells(self, name: str | Process, *, limit: int | None = None) -> list[dict[str, Any]]:
        """The cells of one process in order (rows of the table ``cells``); with ``limit``, the last ones."""
        from .store import listings

        return listings.cells(self._paths, resolve(self._paths, name), limit=limit)[::-1]

    def list_errors(self, name: str | Process | None = None, *, limit: int | None = None) -> list[dict[str, Any]]:
        """Errors of cells, scripts, threads and tasks (rows of the view ``errors``), newest first.

        Args:
            name: of this process only.
        """
        from .store import listings

        return listings.errors(self._paths, None if name is None else resolve(self._paths, name), limit=limit)

    def read_log(self, name: str | Process, *, lines: int = 50, streams: Iterable[str] = _STREAMS) -> list[LogLine]:
        """The last lines that a process printed, the requests made of it among them (stream ``system``).

        Of scripts and commands under `tablevault run` all output is kept (bounded), of notebooks the end of each
        cell's.
        """
        from .journal.process_log import read_log

        return read_log(self._paths, resolve(self._paths, name), lines, streams)

    def follow_log(
        self, name: str | Process, *, lines: int = 10, streams: Iterable[str] = _STREAMS
    ) -> Iterator[LogLine]:
        """The same, then every new line as it comes, until the process is over."""
        from .journal.process_log import follow_log

        return follow_log(self._paths, resolve(self._paths, name), lines, streams)

    def list_descendants(self, name: str | Process) -> list[str]:
        """The OS processes below one, as "pid (program)": what a stop *now* would end besides itself."""
        from .control.below import describe_descendants

        return describe_descendants(self._paths, self.get_process(name))

    def post_mortem(self, name: str | Process) -> PostMortem | None:
        """What happened to a process that was lost or failed, facts and inferences apart; None for others."""
        from .control.last_words import post_mortem

        return post_mortem(self._paths, self.get_process(name))

    def get_current_operations(self) -> Operations:
        """What is going on now: running cells and scripts, pending requests; each with process, start and age.

        Each has an integer ``timestamp``, which `vault_cleanup` takes.
        """
        from .store.operations import current_operations

        return current_operations(self._paths)

    def vault_cleanup(
        self, interval: float = 60, selected_timestamps: Iterable[int | datetime] | None = None
    ) -> Operations:
        """Close what was left open by processes that are gone; never what belongs to a living one.

        Args:
            interval: only what is older than this many seconds.
            selected_timestamps: only these (timestamps of operations, or datetimes), whatever their age;
                unknown ones are ignored.

        Returns:
            What was closed.
        """
        from .control.cleanup import close_operations

        interval = _seconds(interval, "interval")
        selected = None if selected_timestamps is None else list(selected_timestamps)
        return close_operations(self._paths, interval, selected, by=self.user_id)

    def rebuild(self, progress: Callable[[int, int], None] | None = None) -> Rebuilt:
        """Make vault.duckdb again from the journals; the old file stays until the new one is complete.

        Args:
            progress: called with (bytes read, bytes in all).

        Raises:
            DatabaseHeld: another program holds the database; nothing was changed.
        """
        from .store.rebuild import rebuild

        return rebuild(self._paths, progress)

    def plan_prune(self, older_than: timedelta | float) -> PrunePlan:
        """What would go if every process that ended longer ago than this (seconds) were forgotten; nothing is done."""
        from .store.prune import plan_prune

        return plan_prune(self._paths, older_than)

    def prune(self, plan: PrunePlan) -> PrunePlan:
        """Forget, for good, what `plan_prune` found; returns what went.

        Raises:
            DatabaseHeld: another program holds the database; nothing was deleted.
        """
        from .store.prune import prune

        return prune(self._paths, plan)

    def query_process_list(
        self,
        code_text: str | None = None,
        parent_code_text: str | None = None,
        description_text: str | None = None,
        description_embedding: Sequence[float] | None = None,
        filtered: Iterable[str | Process] | None = None,
    ) -> list[Process]:
        """Find processes; all given conditions must hold.

        Args:
            code_text: contained in the code of one of its cells, or in its script.
            parent_code_text: contained in the code of the parent's cell that started it.
            description_text: contained in its description, or in one made by `create_description`.
            description_embedding: nearest first, by cosine similarity; lengths other than this one's are ignored.
            filtered: only among these names, NAME#RUN, ids or `Process` objects.

        Returns:
            Processes, usable wherever a name is; an empty list when nothing matches.

        >>> vault = VaultClient()
        >>> vault.query_process_list(code_text="no such text anywhere")
        []
        """
        from .store import queries

        return queries.query_process_list(
            self._paths,
            code_text=code_text,
            parent_code_text=parent_code_text,
            description_text=description_text,
            description_embedding=description_embedding,
            filtered=filtered,
        )

    def sql(self, query: str, parameters: Sequence[Any] | dict[str, Any] | None = None) -> duckdb.DuckDBPyRelation:
        """Run SQL over the vault; a DuckDB relation over a snapshot: ``.df()``, ``.show()``, ``.fetchall()``.

        The file is closed again before this returns, so nobody is blocked. Parameters are bound, never pasted.

        >>> VaultClient().sql("SELECT count(*) >= 0 FROM processes").fetchall()
        [(True,)]
        """
        from .store.snapshot import run_sql

        return run_sql(self._paths, query, parameters)


def _seconds(value: Any, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value) or value < 0:
        raise BadArgument(f"{what} must be a number of seconds, 0 or more, not {value!r}; nothing was done")
    return float(value)
