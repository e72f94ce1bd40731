"""Random spawns, links, monitors, exits, names and messages against a small model of OTP's rules (hypothesis)."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from actor_support import Boom
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule

from tablevault_ext import actors as process
from tablevault_ext.actors import _process

CRASH = Boom("crash")
REASONS = st.sampled_from(["normal", "kill", "killed", "shutdown", "other"])


async def puppet(log: list[Any]) -> None:
    """A process that does what it is told and keeps everything else it receives."""
    while True:
        message = await process.receive()
        if type(message) is not tuple or message[0] != "do":
            log.append(message)
            continue
        _, verb, *arguments = message
        if verb == "return":
            return
        if verb == "raise":
            raise CRASH.with_traceback(None)
        if verb == "leave":
            raise process.ProcessExit(arguments[0])
        log_result = await getattr(process, verb)(*arguments)
        if verb == "monitor":
            log.append(("ref", log_result))


@dataclass
class Model:
    """What OTP says about one process."""

    traps: bool
    name: str | None
    alive: bool = True
    reason: Any = None
    links: set[str] = field(default_factory=set)
    watchers: dict[str, str] = field(default_factory=dict)  # ref -> pid of the watcher
    inbox: list[Any] = field(default_factory=list)
    log: list[Any] = field(default_factory=list)


class Actors(RuleBasedStateMachine):
    """Each rule acts on the real processes and on the model; the invariant compares all there is to see."""

    pids = Bundle("pids")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.model: dict[str, Model] = {}

    def teardown(self) -> None:
        for pid in list(self.model):
            self.run(process.exit(pid, "kill"))
        self.settle()
        assert not _process.alive and not _process.exiting and not _process.names
        assert not asyncio.all_tasks(self.loop)
        self.loop.close()

    def run(self, operation: Any) -> Any:
        return self.loop.run_until_complete(operation)

    def settle(self) -> None:
        async def quiet() -> None:
            for _ in range(10_000):
                await asyncio.sleep(0)
                living = list(_process.alive.values())
                if not _process.exiting and all(one.waiter is not None and not one.box for one in living):
                    return
            raise AssertionError("the processes do not come to rest")

        self.run(quiet())

    def tell(self, pid: str, *order: Any) -> None:
        if self.model[pid].alive:
            self.run(process.send(pid, ("do", *order)))
            self.settle()

    # The model's half: signals and ends, breadth first as they spread.

    def signal(self, target: str, sender: str | None, reason: Any, over_link: bool) -> None:
        todo = deque([(target, sender, reason, over_link)])
        while todo:
            target, sender, reason, over_link = todo.popleft()
            one = self.model[target]
            if not one.alive or (over_link and sender not in one.links):
                continue
            if over_link:
                one.links.discard(str(sender))
            if reason == "kill" and not over_link:
                todo.extend(self.end(target, "killed"))
            elif one.traps:
                one.inbox.append(("EXIT", sender, reason))
            elif reason != "normal" or sender == target:
                todo.extend(self.end(target, reason))

    def end(self, pid: str, reason: Any) -> list[tuple[str, str, Any, bool]]:
        one = self.model[pid]
        one.alive, one.reason, one.name = False, reason, None
        for ref, watcher in one.watchers.items():
            if self.model[watcher].alive:
                self.model[watcher].inbox.append(("DOWN", ref, "process", pid, reason))
        one.watchers = {}
        for other in self.model.values():
            other.watchers = {ref: watcher for ref, watcher in other.watchers.items() if watcher != pid}
        links, one.links = one.links, set()
        return [(partner, pid, reason, True) for partner in links]

    def spread(self, signals: list[tuple[str, str, Any, bool]]) -> None:
        for signal in signals:
            self.signal(*signal)

    # The rules.

    @rule(target=pids, traps=st.booleans(), name=st.sampled_from([None, None, "a", "b"]))
    def spawn(self, traps: bool, name: str | None) -> Any:
        log: list[Any] = []
        try:
            pid = self.run(process.spawn(puppet, [log], name=name, trap_exits=traps))
        except process.NameTaken:
            assert any(one.name == name for one in self.model.values())
            return multiple()
        assert name is None or all(one.name != name for one in self.model.values())
        self.model[pid] = Model(traps, name, log=log)
        self.settle()
        return pid

    @rule(one=pids, other=pids)
    def link(self, one: str, other: str) -> None:
        self.tell(one, "link", other)
        if self.model[one].alive and one != other:
            self.model[one].links.add(other)
            if self.model[other].alive:
                self.model[other].links.add(one)
            else:
                self.signal(one, other, "noproc", True)

    @rule(one=pids, other=pids)
    def unlink(self, one: str, other: str) -> None:
        self.tell(one, "unlink", other)
        if self.model[one].alive:
            self.model[one].links.discard(other)
            self.model[other].links.discard(one)

    @rule(one=pids, other=pids)
    def monitor(self, one: str, other: str) -> None:
        self.tell(one, "monitor", other)
        if self.model[one].alive:
            ref = next(entry[1] for entry in reversed(self.model[one].log) if entry[0] == "ref")
            if self.model[other].alive:
                self.model[other].watchers[ref] = one
            else:
                self.model[one].inbox.append(("DOWN", ref, "process", other, "noproc"))

    @rule(one=pids)
    def demonitor(self, one: str) -> None:
        mine = [(ref, other) for other in self.model.values() for ref, who in other.watchers.items() if who == one]
        if mine:
            self.tell(one, "demonitor", mine[0][0])
            del mine[0][1].watchers[mine[0][0]]

    @rule(one=pids, traps=st.booleans())
    def flag(self, one: str, traps: bool) -> None:
        self.tell(one, "process_flag", "trap_exits", traps)
        if self.model[one].alive:
            self.model[one].traps = traps

    @rule(one=pids, how=st.sampled_from(["return", "raise", "leave"]), reason=REASONS)
    def finish(self, one: str, how: str, reason: str) -> None:
        self.tell(one, how, reason)
        if self.model[one].alive:
            self.spread(self.end(one, {"return": "normal", "raise": CRASH, "leave": reason}[how]))

    @rule(one=pids, other=pids, reason=REASONS)
    def exit_from_another(self, one: str, other: str, reason: str) -> None:
        self.tell(one, "exit", other, reason)
        if self.model[one].alive:
            self.signal(other, one, reason, False)

    @rule(one=pids, reason=REASONS)
    def exit_from_outside(self, one: str, reason: str) -> None:
        self.run(process.exit(one, reason))
        assert process.is_alive(one) == (self.model[one].alive and (reason == "normal" or self.survives(one, reason)))
        self.settle()
        self.signal(one, None, reason, False)

    def survives(self, pid: str, reason: str) -> bool:
        return self.model[pid].traps and reason != "kill"

    @rule(one=pids, message=st.integers())
    def send(self, one: str, message: int) -> None:
        try:
            self.run(process.send(one, message))
        except process.NoSuchProcess:
            assert not self.model[one].alive
        else:
            assert self.model[one].alive
            self.model[one].inbox.append(message)
        self.settle()

    @invariant()
    def agrees_with_the_model(self) -> None:
        living = {pid for pid, one in self.model.items() if one.alive}
        assert set(process.processes()) == living
        assert {name: process.whereis(name) for name in process.registered()} == {
            one.name: pid for pid, one in self.model.items() if one.name is not None
        }
        for pid, one in self.model.items():
            received = [entry for entry in one.log if type(entry) is not tuple or entry[0] != "ref"]
            if one.alive:
                assert sorted(received, key=repr) == sorted(one.inbox, key=repr)
                assert [m for m in received if type(m) is int] == [m for m in one.inbox if type(m) is int]
            else:  # of what came in its last moment some was never looked at
                assert all(message in one.inbox for message in received)
            info = process.process_info(pid)
            assert (info is not None) == one.alive
            if info is not None:
                assert info.links == one.links
                assert info.monitors == one.watchers
                assert info.trap_exits == one.traps


TestActors = Actors.TestCase
# How fast examples are made is the machine's affair.
TestActors.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
