"""Whatever is asked in whatever order: what is said of requests before a checkpoint comes true at it."""

from __future__ import annotations

import contextlib
import tempfile
from collections import deque
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tablevault_ext.control import requests
from tablevault_ext.errors import WrongState
from tablevault_ext.journal.process_state import read_process
from tablevault_ext.model import Action, Outcome, Process, Request, Status
from tablevault_ext.paths import VaultPaths, open_vault
from tests.support import events

from .test_protocol_races import Target

STEPS = st.lists(st.sampled_from(["pause", "resume", "stop", "keep", "withdraw", "checkpoint"]), max_size=14)


class Story:
    """Asks and takes back as the steps say, also while the target stands in its pause."""

    def __init__(self, paths: VaultPaths, target: Target, steps: list[str]) -> None:
        self.paths = paths
        self.target = target
        self.steps = deque(steps)
        self.asked: list[Request] = []
        self.stop_is_wanted = False
        target.between = self.meanwhile

    def process(self) -> Process:
        return read_process(self.paths, self.target.process_id)

    def ask(self, step: str) -> None:
        with contextlib.suppress(WrongState):  # a clear refusal: nothing was asked
            if step == "withdraw":
                if self.asked:
                    requests.withdraw(self.paths, self.asked[-1])
                    self.stop_is_wanted = False  # after a stop nothing else can be asked but another stop
                return
            action = Action.STOP if step == "keep" else Action(step)
            self.asked.append(
                requests.make_request(self.paths, self.target.process_id, action, keep_kernel=step == "keep")
            )
            self.stop_is_wanted |= action is Action.STOP

    def meanwhile(self, where: str) -> None:
        if where != "waiting":
            return
        step = self.steps.popleft() if self.steps else "resume"
        if step != "checkpoint":
            self.ask(step)

    def checkpoint(self) -> str:
        """One checkpoint; what was foreseen before is compared with what came of it."""
        before = self.process()
        foreseen = {r.request_id: r.foreseen for r in before.requests.values() if r.pending and r.foreseen}
        came = self.target.checkpoint()
        after = self.process()
        assert came == ("stopped" if self.stop_is_wanted else "went on")
        assert {request_id: after.requests[request_id].outcome for request_id in foreseen} == foreseen
        if before.status is Status.STOPPING:
            assert came == "stopped"
        if before.status is Status.RUNNING:
            assert came == "went on", "nobody saw a stop or a pause coming"
        return came


@given(STEPS)
@settings(deadline=None, max_examples=300)
def test_what_is_foreseen_comes_true(steps: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        paths = open_vault(Path(folder) / "vault")
        target = Target(paths)
        try:
            story = Story(paths, target, steps)
            came = "went on"
            while story.steps and came == "went on":
                step = story.steps.popleft()
                if step == "checkpoint":
                    came = story.checkpoint()
                else:
                    story.ask(step)
            if came == "went on":
                came = story.checkpoint()
            process = story.process()
            closed = [event["id"] for event in events(paths, target.process_id, "request_closed")]
            assert len(closed) == len(set(closed)), "no request is decided twice"
            waiting = [r for r in process.requests.values() if r.pending]
            if came == "stopped":
                assert process.status == "stopping"
                assert all(r.action is Action.STOP and r.seen_at for r in waiting)
            else:
                assert process.status == "running"
                assert waiting == []
                stops = [r for r in process.requests.values() if r.action is Action.STOP]
                assert all(r.outcome in (Outcome.WITHDRAWN, Outcome.SUPERSEDED) for r in stops)
        finally:
            target.close()
