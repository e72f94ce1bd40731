"""The result of a query: a DuckDB relation that a notebook draws."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from .cells import result_table
from .table import Table

if TYPE_CHECKING:
    import duckdb

_MOST_ROWS = 200  # are drawn


class QueryResult:
    """Shows the first rows; everything a DuckDB relation can do it can, too: ``.df()``, ``.fetchall()``, ``.filter()``.

    ``len()``, iteration and ``result[3]`` give the rows as tuples.
    """

    def __init__(self, relation: duckdb.DuckDBPyRelation) -> None:
        self.relation = relation

    @functools.cached_property
    def rows(self) -> list[tuple[Any, ...]]:
        return self.relation.fetchall()

    @property
    def columns(self) -> list[str]:
        return list(self.relation.columns)

    def fetchall(self) -> list[tuple[Any, ...]]:
        """All rows; unlike the relation's own, again and again."""
        return self.rows

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.relation, name)

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Any:
        return iter(self.rows)

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        return self.rows[index]

    def _table(self) -> Table:
        table = result_table(self.columns, self.rows, most=_MOST_ROWS)
        if table.notes:
            table.notes = [f"{len(self.rows) - _MOST_ROWS:,} more rows; .fetchall() and .df() give all"]
        return table

    def __repr__(self) -> str:
        return str(self._table())

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))

    def _repr_html_(self) -> str:
        return self._table().to_html()
