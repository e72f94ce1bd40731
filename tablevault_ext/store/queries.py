"""Which processes there are, and which match. Values never become part of a query's text; tables are queried directly.

Every function answers from a snapshot of its own (see `snapshot.open_snapshot`): never stale, the file closed again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..errors import BadArgument
from ..journal.names import resolve
from ..model import Kind, Process, Status
from ..paths import VaultPaths
from .presence import ENDED
from .process_rows import NEWEST_FIRST, find_processes, word_of
from .rows import set_variables
from .snapshot import asked_again, open_snapshot

# Processes


@asked_again
def list_processes(
    paths: VaultPaths,
    *,
    live_only: bool = True,
    kind: Kind | str | None = None,
    status: Status | str | None = None,
    name: str | None = None,
    limit: int | None = None,
) -> list[Process]:
    """Processes, newest first: the living ones, or (``live_only=False``, or a ``status`` given) all that ever ran.

    Raises:
        BadArgument: an unknown kind or status, or a negative limit.
    """
    conditions = []
    with open_snapshot(paths) as snapshot:
        connection = snapshot.connection
        if live_only and status is None:
            conditions.append(f"p.status NOT IN ({ENDED})")
        if kind is not None:
            set_variables(connection, kind=word_of(Kind, kind))
            conditions.append("p.kind = getvariable('kind')")
        if status is not None:
            set_variables(connection, status=word_of(Status, status))
            conditions.append("p.status = getvariable('status')")
        if name is not None:
            set_variables(connection, name=name)
            conditions.append("(p.name = getvariable('name') OR list_contains(p.names, getvariable('name')))")
        return find_processes(connection, conditions, limit=limit)


@asked_again
def get_process(paths: VaultPaths, address: str | Process) -> Process:
    """One process by NAME (its newest run), NAME#RUN or process_id, as the database has it.

    Raises:
        UnknownProcess: with near names.
    """
    process_id = resolve(paths, address)
    with open_snapshot(paths) as snapshot:
        set_variables(snapshot.connection, process_id=process_id)
        found = find_processes(snapshot.connection, ["p.process_id = getvariable('process_id')"])
    return found[0] if found else Process(process_id, name=process_id)


def runs_of(paths: VaultPaths, name: str) -> list[Process]:
    """Every run of a name, the newest first."""
    return list_processes(paths, live_only=False, name=name)


# Finding processes


@asked_again
def query_process_list(
    paths: VaultPaths,
    *,
    code_text: str | None = None,
    parent_code_text: str | None = None,
    description_text: str | None = None,
    description_embedding: Sequence[float] | None = None,
    filtered: Iterable[str | Process] | None = None,
) -> list[Process]:
    """Find processes; all given conditions must hold. Newest first, or, with an embedding, nearest first.

    Args:
        code_text: contained in the code of one of its cells.
        parent_code_text: contained in the code of the parent's cell that started it; in any cell of the parent
            where that cell is not known.
        description_text: contained in its description, or in one of it (or of a cell of it, ``NAME:SEQ``) that
            `create_description` made.
        description_embedding: described with an embedding of this length; by cosine similarity.
        filtered: only names, NAME#RUN, ids or `Process` objects of this collection.

    Raises:
        BadArgument: an argument of the wrong type.
    """
    texts = {"code": code_text, "parent_code": parent_code_text, "description": description_text}
    for argument, text in texts.items():
        if text is not None and not isinstance(text, str):
            raise BadArgument(f"{argument}_text must be text, not {type(text).__name__}")
    vector = None if description_embedding is None else _floats(description_embedding)
    wanted = None if filtered is None else _addresses(filtered)
    conditions, source, order = [], "processes p", NEWEST_FIRST
    with open_snapshot(paths) as snapshot:
        connection = snapshot.connection
        set_variables(connection, **{name: text for name, text in texts.items() if text is not None})
        if code_text is not None:
            conditions.append(_BY_CODE)
        if parent_code_text is not None:
            conditions.append(_BY_PARENT_CODE)
        if description_text is not None:
            conditions.append(_BY_DESCRIPTION)
        if wanted is not None:
            set_variables(connection, wanted=wanted)
            conditions.append(_BY_ADDRESS)
        if vector is not None:
            set_variables(connection, vector=vector)
            source = f"processes p JOIN ({_nearness(len(vector))}) near USING (process_id)"
            order = f"near.similarity DESC, {NEWEST_FIRST}"
        return find_processes(connection, conditions, source=source, order=order)


_BY_CODE = "p.process_id IN (SELECT process_id FROM cells WHERE contains(code, getvariable('code')))"
_BY_PARENT_CODE = """p.process_id IN (
    SELECT child.process_id FROM processes child
    JOIN (SELECT process_id, seq FROM cells WHERE contains(code, getvariable('parent_code'))) c
      ON c.process_id = child.parent_id AND (child.parent_cell IS NULL OR child.parent_cell = c.seq))"""
_DESCRIBED = """
    SELECT q.process_id, d.text, d.embedding FROM descriptions d JOIN processes q
      ON list_contains([q.process_id, q.name, q.name || '#' || q.run, q.notebook, q.path], d.item_name)
      OR list_contains(q.names, d.item_name)
    UNION ALL
    SELECT q.process_id, d.text, d.embedding FROM descriptions d JOIN processes q
      ON list_contains([q.process_id, q.name, q.name || '#' || q.run], regexp_replace(d.item_name, ':[0-9]+$', ''))
     AND regexp_matches(d.item_name, ':[0-9]+$')
"""
_BY_DESCRIPTION = f"""(contains(p.description, getvariable('description')) OR p.process_id IN (
    SELECT process_id FROM ({_DESCRIBED}) WHERE contains(text, getvariable('description'))))"""  # noqa: S608
_BY_ADDRESS = """(list_contains(getvariable('wanted'), p.process_id) OR list_contains(getvariable('wanted'), p.name)
    OR list_contains(getvariable('wanted'), p.name || '#' || p.run)
    OR list_has_any(getvariable('wanted'), p.names))"""


def _nearness(length: int) -> str:
    # TRY_CAST gives NULL for vectors of another length, which the similarity would refuse.
    array = f"FLOAT[{length:d}]"
    return f"""
        SELECT process_id, max(similarity) AS similarity FROM (
            SELECT process_id, array_cosine_similarity(TRY_CAST(embedding AS {array}),
                                                       getvariable('vector')::{array}) AS similarity
            FROM ({_DESCRIBED}))
        WHERE similarity IS NOT NULL AND NOT isnan(similarity) GROUP BY process_id"""  # noqa: S608


def _addresses(filtered: Iterable[str | Process]) -> list[str]:
    if isinstance(filtered, str | Process):
        filtered = [filtered]
    addresses = []
    for item in filtered:
        if isinstance(item, Process):
            addresses.append(item.process_id)
        elif isinstance(item, str):
            addresses.append(item)
        else:
            raise BadArgument(f"filtered holds names and processes, not {type(item).__name__}")
    return addresses


def _floats(values: Sequence[float]) -> list[float]:
    try:
        vector = [float(value) for value in values]
    except (TypeError, ValueError):
        raise BadArgument("description_embedding must be a sequence of numbers") from None
    if not vector:
        raise BadArgument("description_embedding must not be empty")
    return vector
