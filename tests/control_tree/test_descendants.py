"""Who belongs to a process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tablevault_ext import identity as identity_module
from tablevault_ext.control.descendants import Found, find_descendants
from tablevault_ext.control.marks import Marks
from tablevault_ext.control.process_table import Row, started_at, take_snapshot
from tablevault_ext.control.servers import looks_like_server
from tablevault_ext.control.tree import stop_now
from tablevault_ext.identity import Identity

from .conftest import Family, wait_until


def test_children_of_children_are_members_with_their_depth(family: Family) -> None:
    """A line of three is found with depths 0, 1, 2, the root first."""
    root = family.start("chain", "3", members=3)
    tree = find_descendants(root)
    assert [member.depth for member in tree.members] == [0, 1, 2]
    assert [member.found for member in tree.members] == [Found.ROOT, Found.CHILD, Found.CHILD]
    assert tree.members[0].identity == root
    assert "chain" in tree.members[1].command
    assert json.loads(json.dumps(tree.to_json()))["members"][0]["identity"]["pid"] == root.pid


def test_daemons_are_found_by_token(family: Family) -> None:
    """A setsid child is a child; a double fork, which has lost its parents, is found by the inherited variable."""
    root = family.start("parent", "setsid,daemon,fork,sleeper", members=5)
    tree = find_descendants(root, Marks(tokens=(family.token,)))
    found = {member.identity: member.found for member in tree.members}
    assert set(found) == set(family.everybody())
    assert found[family.one("daemon")] is Found.TOKEN
    without = {member.identity for member in find_descendants(root).members}
    assert family.one("daemon") not in without


def test_a_fork_without_exec_is_found_by_its_inherited_mapping(family: Family, tmp_path: Path) -> None:
    """It kept the old environment, so only the mapped control block says whose it is, even when that is deleted."""
    block = tmp_path / "control block\nnot one line.ctl"
    block.write_bytes(bytes(4096))
    root = family.start("holder", str(block), members=2, mark=False)
    marks = Marks(mappings=(block,))
    mapped = family.one("mapped")
    assert {m.identity: m.found for m in find_descendants(root, marks).members}[mapped] is Found.MAPPING
    os.kill(root.pid, signal.SIGKILL)
    wait_until(lambda: root.presence() == "gone")
    block.unlink()
    family.reap()
    assert [(m.identity, m.found) for m in find_descendants(root, marks).members] == [(mapped, Found.MAPPING)]


def test_an_orphan_without_environment_is_found_by_the_session_of_a_member(family: Family) -> None:
    """The kernel of a notebook leads a session: whoever is in it was born below it."""
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("relatives.py")), str(family.folder), "parent", "scrubbed"],
        start_new_session=True,
    )
    family._started.append(process)
    wait_until(lambda: len(family.everybody()) == 2)
    root = Identity.of(process.pid)
    assert root is not None
    found = {member.identity: member.found for member in find_descendants(root).members}
    assert found[family.one("sleeper")] is Found.SESSION


def test_orphans_of_a_dead_root_are_found_and_a_known_one_without_any_mark_too(family: Family) -> None:
    root = family.start("orphaner", "sleeper,scrubbed", members=2)
    known = [member.identity for member in find_descendants(root, Marks(tokens=(family.token,))).members]
    scrubbed = [each for each in family.everybody() if each not in known]
    (family.folder / "go").touch()
    family._started[0].wait(60)
    marks = Marks(tokens=(family.token,))
    assert len(find_descendants(root, marks).members) == 1
    everybody = find_descendants(root, marks, known=scrubbed).members
    assert {member.identity for member in everybody} == set(family.everybody())


def test_nothing_older_than_the_root_is_a_member(family: Family) -> None:
    """A variable set by hand in an older shell does not make that shell a member."""
    older = family.start("sleeper", members=1)
    root = family.start("sleeper", members=1)
    tree = find_descendants(root, Marks(tokens=(family.token,)))
    assert [member.identity for member in tree.members] == [root]
    assert older.presence() == "alive"


def test_zombies_are_told_apart(family: Family) -> None:
    root = family.start("parent", "zombie,sleeper", members=2)
    wait_until(lambda: any(member.zombie for member in find_descendants(root).members))
    zombies = [member for member in find_descendants(root).members if member.zombie]
    assert [(member.state, member.command) for member in zombies] == [("Z", ())]


def test_a_server_and_what_it_started_are_listed_apart(family: Family) -> None:
    """What a Jupyter Server met on the way started belongs to others, though it carries our token."""
    root = family.start("parent", "parent:setsid,sleeper", members=4)
    # The test's own idea of a server: the inner parent.
    tree = find_descendants(
        root, Marks(tokens=(family.token,)), is_server=lambda command: command[-2:] == ("parent", "setsid")
    )
    assert len(tree.servers) == 1
    assert len(tree.members) == 2
    assert tree.servers[0].identity not in {member.identity for member in tree.members}


def test_a_real_jupyter_server_started_below_is_listed_and_spared(family: Family) -> None:
    root = family.start("parent", "sleeper,jupyter", members=2)
    marks = Marks(tokens=(family.token,))
    wait_until(lambda: find_descendants(root, marks).servers)
    server = find_descendants(root, marks).servers[0].identity
    try:
        report = stop_now(root, marks, grace=30, patience=60)
        assert report.complete
        assert [each.member.identity for each in report.spared] == [server]
        assert server.presence() == "alive"
        assert not family.alive()
    finally:
        stop_now(server, grace=0, patience=60)
    assert server.presence() == "gone"


def test_the_start_of_a_child_tells_when_it_was_started(family: Family) -> None:
    """To a tick, whatever the clock of the machine did meanwhile: that is how a child finds its cell."""
    before = time.time()
    root = family.start("sleeper", members=1)
    # It reads two clocks; whoever is suspended in between gets a time that is too early.
    wait_until(lambda: before - 0.1 <= started_at(root) <= time.time() + 0.1)


@pytest.mark.parametrize(
    ("server", "command"),
    [
        (True, "/usr/bin/python3.11 /usr/bin/jupyter-lab --no-browser"),
        (True, "python -m jupyterlab"),
        (True, "python -X dev -m jupyter lab"),
        (True, "python -I /opt/bin/dask scheduler --port 0"),
        (True, "dask-scheduler"),
        (True, "tmux: server"),
        (True, "jupyter-notebook"),
        (False, "python -m ipykernel_launcher -f kernel-1.json"),
        (False, "python -c import jupyterlab"),
        (False, "python train.py jupyter-lab"),
        (False, "jupyter nbconvert a.ipynb"),
        (False, "python"),
        (False, ""),
    ],
)
def test_servers_are_recognised_by_their_command_lines(server: bool, command: str) -> None:
    assert looks_like_server(command.split()) is server


def test_another_host_boot_or_namespace_has_no_members_here() -> None:
    mine = Identity.mine()
    for foreign in (
        Identity(mine.pid, mine.start, mine.boot_id, mine.pid_ns, "elsewhere"),
        Identity(mine.pid, mine.start, "an earlier boot", mine.pid_ns, mine.host),
        Identity(mine.pid, mine.start, mine.boot_id, "pid:[1]", mine.host),
    ):
        assert find_descendants(foreign, known=[mine]).members == ()


def test_psutil_gives_the_same_tree_where_there_is_no_proc(family: Family, monkeypatch: pytest.MonkeyPatch) -> None:
    """The path that macOS takes, walked with real processes."""
    root = family.start("parent", "sleeper,daemon", members=3)
    expected = {member.pid for member in find_descendants(root, Marks(tokens=(family.token,))).members}
    monkeypatch.setattr(identity_module, "LINUX", False)
    identity_module.boot_id.cache_clear()
    from tablevault_ext.control.process_table import whereabouts

    whereabouts.cache_clear()
    try:
        portable = Identity.of(root.pid)
        assert portable is not None
        tree = find_descendants(portable, Marks(tokens=(family.token,)))
        assert {member.pid for member in tree.members} == expected
        assert all(member.command for member in tree.members)
    finally:
        monkeypatch.undo()
        identity_module.boot_id.cache_clear()
        whereabouts.cache_clear()


def test_a_snapshot_agrees_with_psutil() -> None:
    process = psutil.Process()

    def same_threads() -> Row | None:  # those of earlier tests may end just now
        row = take_snapshot().rows[os.getpid()]
        return row if row.threads == process.num_threads() else None

    wait_until(same_threads)
    row = take_snapshot().rows[os.getpid()]
    assert (row.ppid, row.session) == (os.getppid(), os.getsid(0))
    assert abs(row.rss - process.memory_info().rss) < 32 << 20
    assert abs(row.cpu - sum(process.cpu_times()[:2])) < 1.0
