"""The request protocol, its steps interleaved in every order, on real files."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from tablevault_ext.control import requests
from tablevault_ext.control.checkpoint import Checkpoints
from tablevault_ext.errors import ExecutionStopped
from tablevault_ext.identity import Identity
from tablevault_ext.journal.control_block import ControlBlock, read_control, ring
from tablevault_ext.journal.inbox import append_to_inbox
from tablevault_ext.journal.process_state import read_process
from tablevault_ext.journal.writer import JournalWriter
from tablevault_ext.model import Action, Outcome, new_process_id
from tablevault_ext.paths import VaultPaths
from tests.support import events, wait_until


class Target:
    """A process under control, whose checkpoint can be interrupted between its steps."""

    def __init__(self, paths: VaultPaths) -> None:
        self.process_id = new_process_id()
        self.journal = JournalWriter(paths.journal(self.process_id), self.process_id)
        self.journal.append(
            "process_started", kind="script", identity=Identity.mine().to_json(), name="t", run=1, status="running"
        )
        self.between: Callable[[str], None] = lambda step: None
        self.block = ControlBlock(paths, self.process_id)
        hush, wait = self.block.hush, self.block.wait

        def interrupted_hush() -> None:
            self.between("before hush")
            hush()
            self.between("after hush")

        def interrupted_wait(timeout: float) -> None:
            self.between("waiting")
            wait(0.0)

        self.block.hush = interrupted_hush  # type: ignore[method-assign]
        self.block.wait = interrupted_wait  # type: ignore[method-assign]
        self.checkpoints = Checkpoints(paths, self.process_id, "t", self.journal, self.block)

    def checkpoint(self) -> str:
        try:
            self.checkpoints.checkpoint()
        except ExecutionStopped:
            return "stopped"
        return "went on"

    def close(self) -> None:
        self.journal.close()
        self.block.remove()


@pytest.fixture
def target(vault: VaultPaths):
    made = Target(vault)
    yield made
    made.close()


def _without_bell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "ring", lambda *_: None)


STEPS = ["line 1", "bell 1", "line 2", "bell 2"]
POINTS = ["before hush", "after hush", "between checkpoints"]


@pytest.mark.parametrize("second", [Action.STOP, Action.RESUME])
@pytest.mark.parametrize("places", list(itertools.combinations_with_replacement(range(6), 4)))
def test_every_interleaving_decides_each_request_once(
    vault: VaultPaths, target: Target, monkeypatch: pytest.MonkeyPatch, places: tuple[int, ...], second: Action
) -> None:
    """A pause and a second request fall, step by step, between the steps of two checkpoints."""
    _without_bell(monkeypatch)
    made = []
    steps: dict[str, Callable[[], object]] = {
        "line 1": lambda: made.append(requests.make_request(vault, target.process_id, Action.PAUSE)),
        "bell 1": lambda: ring(vault, target.process_id),
        "line 2": lambda: made.append(requests.make_request(vault, target.process_id, second)),
        "bell 2": lambda: ring(vault, target.process_id),
    }
    todo = dict(zip(STEPS, places, strict=True))
    clock = 0

    def advance(_: str = "") -> None:
        nonlocal clock
        for step in [s for s in STEPS if s in todo and todo[s] <= clock]:
            del todo[step]
            steps[step]()
        clock += 1

    target.between = advance
    for _ in range(3):
        advance()
        target.checkpoint()
    while todo:
        advance()
    # Whatever was missed is still on the bell, or is seen by the next who looks.
    requests.ring_again(vault, read_process(vault, target.process_id), vault.inbox(target.process_id).stat().st_size)
    monkeypatch.undo()
    ring(vault, target.process_id)
    outcome = target.checkpoint()

    process = read_process(vault, target.process_id)
    assert len(made) == 2
    closings = [e["id"] for e in events(vault, target.process_id, "request_closed")]
    assert len(closings) == len(set(closings)), "no request is decided twice"
    if second is Action.STOP:
        assert outcome == "stopped"
        assert process.status == "stopping"
        assert process.requests[made[0].request_id].outcome in (Outcome.SUPERSEDED, Outcome.EFFECTIVE)
    else:
        assert outcome == "went on"
        assert process.status == "running"
        assert {r.outcome for r in process.requests.values()} <= {Outcome.WITHDRAWN, Outcome.EFFECTIVE}
    assert target.checkpoints.desk.paused is False


def test_a_requester_that_dies_before_the_bell_is_heard_after_all(
    vault: VaultPaths, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever sees an inbox longer than what the target has acknowledged rings again."""
    with monkeypatch.context() as patch:
        patch.setattr(requests, "ring", lambda *_: None)
        request = requests.make_request(vault, target.process_id, Action.STOP)

    def rung() -> bool:
        return read_control(vault.control_block(target.process_id)).rung

    assert not rung(), "nobody rang"
    # A wait whose time is over before it has looked once rings nobody: the next one does.
    wait_until(lambda: requests.wait_for(vault, request, 0.05) and rung(), "the requester's wait rings")
    assert target.checkpoint() == "stopped"


def test_a_second_pause_joins_the_first(vault: VaultPaths, target: Target) -> None:
    """Two pauses: one request."""
    first = requests.make_request(vault, target.process_id, Action.PAUSE)
    second = requests.make_request(vault, target.process_id, Action.PAUSE)
    assert first.request_id == second.request_id
    assert len(read_process(vault, target.process_id).requests) == 1


def test_a_withdrawn_pause_does_not_pause(vault: VaultPaths, target: Target) -> None:
    """A request can be withdrawn until it takes effect."""
    request = requests.make_request(vault, target.process_id, Action.PAUSE)
    assert read_process(vault, target.process_id).status == "pausing"
    requests.withdraw(vault, request)
    assert target.checkpoint() == "went on"
    process = read_process(vault, target.process_id)
    assert process.requests[request.request_id].outcome is Outcome.WITHDRAWN
    assert process.status == "running"
    with pytest.raises(requests.WrongState, match="too late to withdraw"):
        requests.withdraw(vault, request)


def test_resume_without_a_pause_is_refused(vault: VaultPaths, target: Target) -> None:
    """There is nothing to resume, and the message says so."""
    with pytest.raises(requests.WrongState, match="not paused"):
        requests.make_request(vault, target.process_id, Action.RESUME)
    assert not vault.inbox(target.process_id).exists()


def test_a_stop_is_sticky(vault: VaultPaths, target: Target) -> None:
    """Code that swallows the exception meets it again at every later checkpoint."""
    requests.make_request(vault, target.process_id, Action.STOP, reason="disk")
    for _ in range(3):
        assert target.checkpoint() == "stopped"
    with pytest.raises(requests.WrongState, match="stopping"):
        requests.make_request(vault, target.process_id, Action.PAUSE)


def test_ctrl_c_may_come_as_soon_as_a_pause_is_announced(
    vault: VaultPaths, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever reads that it is paused may interrupt it before its thread has gone to wait: that ends the pause."""
    append = target.journal.append

    def interrupted(kind: str, **fields: object) -> None:
        append(kind, **fields)
        if fields.get("status") == "paused":
            raise KeyboardInterrupt

    monkeypatch.setattr(target.journal, "append", interrupted)
    request = requests.make_request(vault, target.process_id, Action.PAUSE)
    with pytest.raises(KeyboardInterrupt):
        target.checkpoint()
    process = read_process(vault, target.process_id)
    assert (process.status, process.requests[request.request_id].outcome) == ("running", Outcome.INTERRUPTED)
    assert target.checkpoint() == "went on"


def test_who_asks_again_after_taking_back_is_heard(vault: VaultPaths, target: Target) -> None:
    """The target has not read the withdrawal yet; a second request does not join the one that was taken back."""
    first = requests.make_request(vault, target.process_id, Action.STOP)
    requests.withdraw(vault, first)
    process = read_process(vault, target.process_id)
    assert (process.status, process.request) == ("running", None)
    assert process.requests[first.request_id].foreseen is Outcome.WITHDRAWN
    assert requests.withdraw(vault, first).foreseen is Outcome.WITHDRAWN, "said twice, it is still taken back"
    second = requests.make_request(vault, target.process_id, Action.STOP)
    assert second.request_id != first.request_id
    assert target.checkpoint() == "stopped"
    process = read_process(vault, target.process_id)
    assert process.requests[first.request_id].outcome is Outcome.WITHDRAWN
    assert process.requests[second.request_id].seen_at is not None


def test_what_a_later_request_undoes_cannot_be_taken_back(vault: VaultPaths, target: Target) -> None:
    """A pause and a resume wait: both are as good as decided."""
    pause = requests.make_request(vault, target.process_id, Action.PAUSE)
    resume = requests.make_request(vault, target.process_id, Action.RESUME)
    process = read_process(vault, target.process_id)
    assert [process.requests[r.request_id].foreseen for r in (pause, resume)] == [Outcome.WITHDRAWN, Outcome.EFFECTIVE]
    with pytest.raises(requests.WrongState, match="too late"):
        requests.withdraw(vault, resume)
    assert target.checkpoint() == "went on"


def test_the_stop_of_one_actor_can_be_taken_back(vault: VaultPaths, target: Target) -> None:
    """As long as its process has not read of it."""
    stopped: list[str] = []
    target.checkpoints.on_actor_stop = lambda request: stopped.append(request.actor)
    spared = requests.stop_actor(vault, target.process_id, "worker_1")
    requests.stop_actor(vault, target.process_id, "worker_2")
    assert requests.withdraw(vault, spared).foreseen is Outcome.WITHDRAWN
    assert target.checkpoint() == "went on"
    assert stopped == ["worker_2"]
    assert read_process(vault, target.process_id).requests[spared.request_id].outcome is Outcome.WITHDRAWN


def test_what_is_carried_out_already_cannot_be_taken_back(vault: VaultPaths, target: Target) -> None:
    """A request now is its requester's doing; the target is not asked."""
    process = read_process(vault, target.process_id)
    request = requests.new_request(process, Action.PAUSE, by="", reason="", now=True)
    append_to_inbox(vault, target.process_id, request.line())
    with pytest.raises(requests.WrongState, match="too late"):
        requests.withdraw(vault, request)
