"""The vault as it is now, for one batch of queries: the file is read and closed, nobody is blocked.

Ordinarily new lines are ingested first and the file is then read. Where somebody else holds it to write, or it is
damaged, the answer comes from the journals; where somebody else reads it, from the file and the journals' tails.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import duckdb
from duckdb import DuckDBPyConnection, DuckDBPyRelation

from ..errors import BadArgument, DatabaseDamaged, DatabaseHeld, VaultUnusable
from ..journal.locks import LockBusy, hold
from ..paths import VaultPaths
from .database import PATIENCE, Opened, connect, explain, pass_lock
from .engine import alone_in_process, open_memory
from .ingest import ingest
from .passes import ingest_pass, is_behind
from .rows import insert_rows
from .schema import NewerVault, ensure_schema

log = logging.getLogger("tablevault_ext")

_OWN_WRITER_TIMEOUT = 30.0

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Notice:
    """Why an answer did not come the ordinary way: kind is *held*, *damaged* or *unwritable*."""

    kind: str
    message: str
    holder: str = ""

    def __str__(self) -> str:
        return self.message


@dataclass(slots=True)
class Snapshot:
    """The vault's tables and views as the default catalog of an in-memory database."""

    opened: Opened
    notices: list[Notice] = field(default_factory=list)

    @property
    def connection(self) -> DuckDBPyConnection:
        return self.opened.connection


@contextmanager
def open_snapshot(paths: VaultPaths) -> Iterator[Snapshot]:
    """Make the vault readable, as it is now, until the block is left.

    Raises:
        VaultUnusable: the vault was made by a newer version, or may not be read.
        DatabaseDamaged: the block came upon damage in the file; from now on answers come from the journals, so
            whoever asks again (see `asked_again`) gets one.
    """
    with alone_in_process():
        snapshot = _take(paths)
        try:
            yield snapshot
        except duckdb.Error as error:
            _remember_damage(paths, error)
            raise
        finally:
            snapshot.opened.close()


def asked_again(question: Callable[P, T]) -> Callable[P, T]:
    """Let a function that asks a snapshot ask once more when it comes upon damage inside the file.

    Ctrl-C in the middle is KeyboardInterrupt, as everywhere: DuckDB makes a RuntimeError of it.
    """

    @functools.wraps(question)
    def ask(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            try:
                return question(*args, **kwargs)
            except DatabaseDamaged:
                return question(*args, **kwargs)
        except RuntimeError as error:
            if str(error) == "Query interrupted":
                raise KeyboardInterrupt from None
            raise

    return ask


_known_damage: dict[Path, tuple[int, int]] = {}


def _remember_damage(paths: VaultPaths, error: duckdb.Error) -> None:
    known = explain(error, paths)
    if isinstance(known, DatabaseDamaged):
        _known_damage[paths.database] = _version_of(paths)
        raise known from error


def _version_of(paths: VaultPaths) -> tuple[int, int]:
    info = paths.database.stat()
    return info.st_ino, info.st_mtime_ns


def _take(paths: VaultPaths, *, private: bool = False) -> Snapshot:
    try:
        snapshot = _from_file(paths, private)
    except DatabaseDamaged as error:
        notice = Notice("damaged", f"{error}. Until then answers come from the journals")
        snapshot = Snapshot(_from_journals(paths), [notice])
    except DatabaseHeld as error:
        notice = Notice("held", f"{error}. The answer comes from the journals", error.holder)
        snapshot = Snapshot(_from_journals(paths), [notice])
    for notice in snapshot.notices:
        log.warning("%s", notice.message)
    return snapshot


def _from_file(paths: VaultPaths, private: bool) -> Snapshot:
    if paths.database in _known_damage and paths.database.exists():
        if _known_damage[paths.database] == _version_of(paths):
            raise DatabaseDamaged(f"{paths.database} is damaged; `tablevault rebuild` makes it again from the journals")
        del _known_damage[paths.database]
    if not paths.database.exists():
        hindrance = _catch_up(paths)
        if hindrance is not None:
            return Snapshot(_from_journals(paths), [hindrance])
    opened = _open_to_read(paths, private)
    try:
        if not is_behind(opened.connection, paths):
            return Snapshot(opened)
        opened.close()
        hindrance = _catch_up(paths)
        # What is added to a copy in memory must not stay in the database that is kept.
        opened = _open_to_read(paths, private or hindrance is not None)
        if hindrance is None:
            return Snapshot(opened)
        _add_tails(opened, paths)
    except BaseException:
        opened.close()
        raise
    return Snapshot(opened, [hindrance])


def _open_to_read(paths: VaultPaths, private: bool) -> Opened:
    """Open the file; wait while it is one of our own programs that writes, which never takes long."""
    try:
        return connect(paths, read_only=True, private=private)
    except DatabaseHeld as held:
        try:
            with hold(pass_lock(paths), _OWN_WRITER_TIMEOUT):
                return connect(paths, read_only=True, patience=PATIENCE, private=private)
        except (LockBusy, OSError):
            raise held from None


def _catch_up(paths: VaultPaths) -> Notice | None:
    """Ingest what is new; or say what hinders."""
    try:
        ingest_pass(paths)
    except DatabaseHeld as error:
        return Notice("held", f"{error}. The newest lines were read from the journals", error.holder)
    except LockBusy as error:
        return Notice("held", f"{error}. The newest lines were read from the journals")
    except NewerVault:
        raise
    except VaultUnusable as error:
        return Notice("unwritable", f"{error}. The newest lines were read from the journals")
    except OSError as error:
        return Notice("unwritable", f"{paths.root} cannot be written ({error.strerror}); the journals were read")
    return None


def _add_tails(opened: Opened, paths: VaultPaths) -> None:
    """Put a copy of the file, and what the journals have beyond it, in its place; let go of the file."""
    connection = opened.connection
    connection.execute("ATTACH ':memory:' AS live; COPY FROM DATABASE vault TO live; USE live; DETACH vault")
    opened.catalog = "live"
    ensure_schema(connection)
    ingest(connection, paths)


def _from_journals(paths: VaultPaths) -> Opened:
    connection = open_memory(paths)
    try:
        connection.execute("ATTACH ':memory:' AS vault; USE vault")
        ensure_schema(connection)
        ingest(connection, paths)
    except BaseException:
        connection.close()
        raise
    return Opened(connection)


# SQL of users

_READS = frozenset(
    (
        duckdb.StatementType.SELECT,
        duckdb.StatementType.EXPLAIN,
        duckdb.StatementType.CALL,
        duckdb.StatementType.PRAGMA,
        duckdb.StatementType.SET,
        duckdb.StatementType.VARIABLE_SET,
        duckdb.StatementType.COPY,
    )
)

Parameters = Sequence[Any] | Mapping[str, Any]


def run_sql(paths: VaultPaths, query: str, parameters: Parameters | None = None) -> DuckDBPyRelation:
    """Run SQL over the vault and keep the result in memory; the file is closed when this returns.

    Args:
        query: one or more statements that read; the last one gives the result.
        parameters: values for ``?`` or ``$1`` (a sequence) or ``$name`` (a mapping) of the last statement.

    Raises:
        BadArgument: a statement that does more than read, or none at all; nothing was run.
        duckdb.Error: what DuckDB says about the query.
    """
    relation, _ = run_sql_with_notices(paths, query, parameters)
    return relation


@asked_again
def run_sql_with_notices(
    paths: VaultPaths, query: str, parameters: Parameters | None = None
) -> tuple[DuckDBPyRelation, list[Notice]]:
    """`run_sql`, and why the answer did not come the ordinary way, if so."""
    if not isinstance(query, str):
        raise BadArgument(f"a query must be text, not {type(query).__name__}")
    with alone_in_process():
        snapshot = _take(paths, private=True)
        try:
            relation = _materialise(snapshot.opened, query, parameters)
        except BaseException as error:
            snapshot.opened.close()
            if isinstance(error, duckdb.Error):
                _remember_damage(paths, error)
            raise
        return relation, snapshot.notices


def _materialise(opened: Opened, query: str, parameters: Parameters | None) -> DuckDBPyRelation:
    connection = opened.connection
    statements = connection.extract_statements(query)
    if not statements:
        raise BadArgument("there is no statement in this query")
    for statement in statements:
        # PIVOT is two statements without a text of their own, of which the first makes a temporary type.
        if statement.query and statement.type not in _READS:
            raise BadArgument(
                f"vault.sql only reads, and this is a {statement.type.name} statement; nothing was run. "
                "Tables of your own belong into a database of your own"
            )
    last = statements[-1]
    if last.query:
        for statement in statements[:-1]:
            connection.execute(statement)
    if last.type == duckdb.StatementType.SELECT:
        _keep_selection(connection, last.query or query, parameters)
    else:
        _keep_answer(connection, connection.execute(last, parameters))
    opened.detach()
    return connection.table("result")


def _keep_selection(connection: DuckDBPyConnection, query: str, parameters: Parameters | None) -> None:
    text = query.rstrip().rstrip(";")
    try:
        try:
            connection.execute(f"CREATE TABLE memory.main.result AS {text}", parameters)
        except duckdb.ParserException:  # SHOW, DESCRIBE, SUMMARIZE may only stand in brackets there
            connection.execute(f"CREATE TABLE memory.main.result AS SELECT * FROM ({text}\n)", parameters)  # noqa: S608
    except duckdb.Error:
        connection.execute(query, parameters)  # the same error, in terms of what the user wrote
        raise


def _keep_answer(connection: DuckDBPyConnection, answer: DuckDBPyConnection) -> None:
    """What EXPLAIN, PRAGMA and their like say, as text."""
    names = list(dict.fromkeys(column[0] for column in answer.description or [])) or ["result"]
    rows = [[None if value is None else str(value) for value in row][: len(names)] for row in answer.fetchall()]
    columns = ", ".join('"' + name.replace('"', '""') + '" VARCHAR' for name in names)
    connection.execute(f"CREATE TABLE memory.main.result ({columns})")
    insert_rows(connection, "memory.main.result", dict.fromkeys(names, "VARCHAR"), rows)
