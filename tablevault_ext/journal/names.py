"""Who holds which name: claimed atomically, with the run number, under a lock."""

from __future__ import annotations

import difflib
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import BadArgument, NameTaken, UnknownProcess
from ..identity import Identity, Presence
from ..model import Process, now_us
from ..paths import VaultPaths
from .lines import decode_line, encode_line
from .locks import hold
from .reader import list_process_ids, read_lines

Event = dict[str, Any]
MAX_NAME = 10_000


@dataclass(frozen=True, slots=True)
class Claim:
    """A name that is held: NAME#RUN."""

    name: str
    run: int
    process_id: str


def check_name(name: object) -> str:
    """Refuse what cannot be a name: no text, nothing visible, a `#` with digits behind it, a path separator.

    Raises:
        BadArgument: with the reason.
    """
    if not isinstance(name, str):
        raise BadArgument(f"a process name must be a string, not {type(name).__name__}")
    if not name.strip():
        raise BadArgument("a process name must not be empty")
    if len(name) > MAX_NAME:
        raise BadArgument(f"a process name may have at most {MAX_NAME} characters; this one has {len(name)}")
    if "/" in name or "\\" in name:
        raise BadArgument(f"the process name {name[:80]!r} contains a slash; use '-' or '.' instead")
    base, hash_sign, run = name.rpartition("#")
    if hash_sign and base and run.isdecimal():
        raise BadArgument(f"the process name {name[:80]!r} ends like NAME#RUN, which addresses a run; choose another")
    return name


def claim_name(paths: VaultPaths, name: str, process_id: str, holder: Identity, *, suffix: bool = False) -> Claim:
    """Take a name for a process, and with it the next run number.

    Args:
        suffix: when a living process holds the name, take NAME-2, NAME-3, … instead of refusing.

    Raises:
        NameTaken: a living process holds the name and ``suffix`` is False.
    """
    with hold(paths.names / ".lock"):
        candidate, number = name, 1
        while True:
            entries = list(_entries(_file(paths, candidate)))
            alive = _holder(entries)
            if alive is None or alive["p"] == process_id:
                break
            if not suffix:
                pid = alive["identity"]["pid"]
                raise NameTaken(
                    f"the name {name[:80]!r} is held by a living process (pid {pid}); "
                    "stop that one first, or choose another name"
                )
            number += 1
            candidate = f"{name}-{number}"
        run = 1 + max((entry["run"] for entry in entries if entry["e"] == "claimed"), default=0)
        if alive is not None:
            run = alive["run"]
        line = {"e": "claimed", "name": candidate, "run": run, "p": process_id, "identity": holder.to_json()}
        _append(_file(paths, candidate), line | {"at": now_us()})
        return Claim(candidate, run, process_id)


def claim_of(paths: VaultPaths, process_id: str) -> Claim | None:
    """The name that a process claimed last, if any."""
    last = None
    for path in paths.names.glob("*.ndjson"):
        for entry in _entries(path):
            if entry["e"] == "claimed" and entry["p"] == process_id and (last is None or entry["at"] >= last["at"]):
                last = entry
    return None if last is None else Claim(last["name"], last["run"], process_id)


def hand_over(paths: VaultPaths, claim: Claim, holder: Identity) -> None:
    """Let another OS process hold the name of the same process_id (`tablevault run` → its child)."""
    with hold(paths.names / ".lock"):
        line = {"e": "claimed", "name": claim.name, "run": claim.run, "p": claim.process_id}
        _append(_file(paths, claim.name), line | {"identity": holder.to_json(), "at": now_us()})


def release_name(paths: VaultPaths, name: str, process_id: str) -> None:
    """Give a name back while the process lives on under another; its history stays addressable."""
    with hold(paths.names / ".lock"):
        _append(_file(paths, name), {"e": "released", "name": name, "p": process_id, "at": now_us()})


def forget_name(paths: VaultPaths, name: str, process_id: str) -> None:
    """A pruned process is not found by its name any more; its run number is not given again."""
    with hold(paths.names / ".lock"):
        _append(_file(paths, name), {"e": "pruned", "name": name, "p": process_id, "at": now_us()})


def resolve(paths: VaultPaths, address: str | Process) -> str:
    """Find the process_id behind NAME (its newest run), NAME#RUN, or a process_id.

    Raises:
        UnknownProcess: with near names, when there are any.
    """
    if isinstance(address, Process):
        return address.process_id
    if not isinstance(address, str):
        raise BadArgument(f"a process is addressed by a string or a Process, not {type(address).__name__}")
    if not address.strip():
        raise BadArgument("the name of a process must not be empty; `tablevault ps` lists them")
    name, _, run = address.rpartition("#")
    if name and run.isdecimal():
        claims = [c for c in _claims(paths, name) if c.run == int(run)]
    else:
        claims = _claims(paths, address)
    if claims:
        return claims[-1].process_id
    try:
        if (
            paths.journal(address).exists()
            or paths.wrapper_journal(address).exists()
            or address in list_process_ids(paths)
        ):
            return address
    except BadArgument:
        pass
    known = list_names(paths)
    near = difflib.get_close_matches(address[:200], known, n=3, cutoff=0.5)
    raise UnknownProcess(address, near)


def list_names(paths: VaultPaths) -> list[str]:
    """Every name ever claimed, sorted."""
    names = set()
    for path in paths.names.glob("*.ndjson"):
        first = next(_entries(path), None)
        if first is not None:
            names.add(str(first["name"]))
    return sorted(names)


def _claims(paths: VaultPaths, name: str) -> list[Claim]:
    entries = list(_entries(_file(paths, name)))
    pruned = {entry["p"] for entry in entries if entry["e"] == "pruned"}
    return [Claim(e["name"], e["run"], e["p"]) for e in entries if e["e"] == "claimed" and e["p"] not in pruned]


def _holder(entries: list[Event]) -> Event | None:
    """The claim whose process lives. One on another host or namespace cannot be seen and counts as alive."""
    released = {entry["p"] for entry in entries if entry["e"] == "released"}
    judged: set[str] = set()
    for entry in reversed(entries):
        if entry["e"] != "claimed" or entry["p"] in released or entry["p"] in judged:
            continue
        judged.add(entry["p"])  # its last holder counts: a wrapper hands the name over to its child
        if Identity.from_json(entry["identity"]).presence() is not Presence.GONE:
            return entry
    return None


def _file(paths: VaultPaths, name: str) -> Path:
    # A digest: names may be long, or hold what no file name can.
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return paths.names / f"{digest}.ndjson"


def _entries(path: Path) -> Iterator[dict[str, Any]]:
    for _, line in read_lines(path):
        entry = decode_line(line)
        if entry is not None:
            yield entry


def _append(path: Path, entry: dict[str, Any]) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, encode_line(entry))
    finally:
        os.close(fd)
