"""The actors of a process: their lives from its journal, what they do now from its last word about them."""

from __future__ import annotations

import json
from typing import Any

from ..panel.entry import Entry
from ..panel.stored import notice_in
from ..panel.wire import Json, moment
from ..paths import VaultPaths
from ..store.rows import set_variables
from ..store.snapshot import open_snapshot
from .cells import rows

_ACTORS = """
    SELECT actor_id, name, status, spawned_at, changed_at, reason, detail->>'parent' AS parent FROM actors
    WHERE process_id = getvariable('process_id') ORDER BY spawned_at, actor_id
"""
_OVER = ("ended", "failed")


def actors_of(paths: VaultPaths, entry: Entry) -> Json:
    """The contract's list of actors, oldest first."""
    living = {} if entry.ended else _living(paths, entry.process_id)
    with open_snapshot(paths) as snapshot:
        set_variables(snapshot.connection, process_id=entry.process_id)
        found = rows(snapshot, _ACTORS)
        notice = notice_in(snapshot)
    return {"actors": [_actor(row, living.get(row["actor_id"]), ended=entry.ended) for row in found], "notice": notice}


def _actor(row: Json, living: dict[str, Any] | None, *, ended: bool) -> Json:
    over = row["status"] in _OVER
    status = "lost" if ended and not over else (living or {}).get("state") or row["status"]
    return {
        "actor_id": row["actor_id"],
        "name": row["name"],
        "status": row["status"] if over else status,
        "parent_id": row["parent"],
        "started_at": moment(row["spawned_at"]),
        "ended_at": moment(row["changed_at"]) if over else None,
        "exit_reason": row["reason"],
        "mailbox": (living or {}).get("mailbox_depth"),
    }


def _living(paths: VaultPaths, process_id: str) -> dict[str, dict[str, Any]]:
    try:
        content = json.loads(paths.actors(process_id).read_text())
        return {actor["pid"]: actor for actor in content["actors"]}
    except (OSError, ValueError, KeyError, TypeError):
        return {}  # none, or just being replaced
