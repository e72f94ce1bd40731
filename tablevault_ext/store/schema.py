"""The schema's versions: made, migrated forward, never guessed at."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from duckdb import CatalogException, DuckDBPyConnection

from ..errors import DatabaseDamaged, VaultUnusable
from ..model import now_us

_MIGRATIONS: tuple[str, ...] = ()
"""SQL that leads from version 1 to 2, from 2 to 3, …; a new vault is made from schema.sql at once."""


class NewerVault(VaultUnusable):
    """The vault was made by a newer version of this package, or of DuckDB; nothing was touched."""


def current_version() -> int:
    """The schema version that this program writes."""
    return 1 + len(_MIGRATIONS)


def stored_version(connection: DuckDBPyConnection, *, thorough: bool = True) -> int:
    """The schema version of the default catalog; 0 where nothing has been made yet.

    Args:
        thorough: look whether every table is there, which costs some milliseconds.

    Raises:
        VaultUnusable: the vault was made by a newer version of this program.
        DatabaseDamaged: tables are missing.
    """
    try:
        row = connection.execute("SELECT max(schema_version) FROM vault_meta").fetchone()
    except CatalogException:
        if _present(connection) & _tables():
            message = "vault.duckdb has lost its table vault_meta; `tablevault rebuild` makes it again"
            raise DatabaseDamaged(message) from None
        return 0
    version = row[0] if row else None
    if version is None:
        raise DatabaseDamaged("vault.duckdb does not know its schema version; `tablevault rebuild` makes it again")
    if version > current_version():
        raise NewerVault(
            f"this vault was made by a newer version of tablevault-ext (schema {version}; this one knows "
            f"{current_version()}); upgrade the package. Nothing was touched"
        )
    if thorough and version == current_version():
        missing = ", ".join(sorted(_tables() - _present(connection)))
        if missing:
            raise DatabaseDamaged(f"vault.duckdb has lost tables ({missing}); `tablevault rebuild` makes it again")
    return int(version)


def _present(connection: DuckDBPyConnection) -> set[str]:
    rows = connection.execute(
        "SELECT table_name FROM duckdb_tables() WHERE database_name = current_database() AND NOT temporary"
    )
    return {name for (name,) in rows.fetchall()}


def ensure_schema(connection: DuckDBPyConnection) -> None:
    """Make the tables and views, or migrate them forward, in the default catalog.

    Raises:
        VaultUnusable, DatabaseDamaged: as `stored_version`; nothing was touched.
    """
    version = stored_version(connection)
    if version == current_version():
        return
    connection.execute("BEGIN")
    try:
        if version == 0:
            connection.execute(_schema())
            connection.execute(
                f"INSERT INTO vault_meta VALUES ({current_version():d}, make_timestamp({now_us():d}))"  # noqa: S608
            )
        else:
            for step in _MIGRATIONS[version - 1 :]:
                connection.execute(step)
            connection.execute(f"UPDATE vault_meta SET schema_version = {current_version():d}")  # noqa: S608
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


@cache
def _schema() -> str:
    return (Path(__file__).parent / "schema.sql").read_text(encoding="utf-8")


@cache
def _tables() -> frozenset[str]:
    return frozenset(re.findall(r"^CREATE TABLE (\w+)", _schema(), re.MULTILINE))
