"""Actors of a recorded process: seen from outside, paused and stopped with it, ended one by one."""

from __future__ import annotations

import json
from pathlib import Path

from tablevault_ext.client import VaultClient
from tablevault_ext.model import Outcome
from tablevault_ext.paths import VaultPaths
from tests.support import Kernel, events, process_named, running_script, wait_for_status, wait_until

PROGRAM = """
    import asyncio
    from tablevault_ext import Vault, actors as process
    vault = Vault(process_name="system")

    async def counter():
        while True:
            message = await process.receive()
            vault.append_record("seen", message)

    async def crasher():
        await process.receive()
        raise ValueError("as told")

    async def main():
        await process.spawn(counter, name="counter")
        await process.spawn(crasher, name="crasher")
        await process.spawn(process.receive, name="idler")
        await process.send("crasher", "go")
        print("up", flush=True)
        number = 0
        while True:
            await process.send("counter", number := number + 1)
            await asyncio.sleep(0.005)

    asyncio.run(main())
"""


def living_actors(paths: VaultPaths) -> dict[str, dict]:
    process = process_named(paths, "system")
    try:
        content = json.loads(paths.actors(process.process_id).read_text())
    except OSError:
        return {}
    return {actor["name"]: actor for actor in content["actors"]}


def test_lives_and_crashes_are_journaled_and_the_living_are_shown(vault: VaultPaths, tmp_path: Path) -> None:
    """Spawn and abnormal exit are lines; messages are not; a snapshot shows mailbox and state."""
    with running_script(tmp_path, PROGRAM) as child:
        child.stdout.readline()
        process = process_named(vault, "system")
        wait_until(lambda: "counter" in living_actors(vault), "the counter is shown")
        assert living_actors(vault)["counter"]["state"] in ("waiting", "running")
        failed = wait_until(
            lambda: [e for e in events(vault, process, "actor") if e["status"] == "failed"], "the crash is journaled"
        )
        assert failed[0]["reason"] == "ValueError: as told"


def test_pause_and_stop_reach_actors_at_their_receive(vault: VaultPaths, tmp_path: Path) -> None:
    """A program of actors needs no checkpoint of its own: `receive` is one."""
    client = VaultClient()
    with running_script(tmp_path, PROGRAM) as child:
        child.stdout.readline()
        assert client.pause_execution("system", wait=60).outcome is Outcome.EFFECTIVE
        process = process_named(vault, "system")
        seen = len(events(vault, process, "record_appended"))
        assert client.resume_execution("system", wait=60).outcome is Outcome.EFFECTIVE
        wait_until(lambda: len(events(vault, process, "record_appended")) > seen + 3, "it goes on")
        values = [e["record"] for e in events(vault, process, "record_appended")]
        assert values == sorted(set(values)), "nothing was lost or doubled"


def test_one_actor_is_stopped_from_outside(vault: VaultPaths, tmp_path: Path) -> None:
    """NAME/ACTOR; the receipt comes when it is gone; an unknown actor is a failure that says so."""
    client = VaultClient()
    with running_script(tmp_path, PROGRAM) as child:
        child.stdout.readline()
        wait_until(lambda: "idler" in living_actors(vault), "the idler is shown")
        assert client.stop_execution("system/idler", wait=60).outcome is Outcome.EFFECTIVE
        wait_until(lambda: "idler" not in living_actors(vault), "the idler is gone")
        assert client.stop_execution("system/nobody", wait=60).outcome is Outcome.FAILED


def test_a_paused_notebook_holds_its_actors(vault: VaultPaths, kernel: Kernel) -> None:
    """Idle and paused, its event loop runs on, but no actor gets past its receive."""
    kernel.run(
        """
        from tablevault_ext import actors as process
        seen = []
        async def listener():
            while True:
                seen.append(await process.receive())
        pid = await process.spawn(listener)
        import asyncio
        async def ticker():
            for number in range(10_000):
                await process.send(pid, number)
                await asyncio.sleep(0.01)
        background = asyncio.ensure_future(ticker())
        """
    )
    client = VaultClient()
    assert client.pause_execution("notebook", wait=60).outcome is Outcome.EFFECTIVE
    wait_for_status(vault, "notebook", "paused")
    assert client.resume_execution("notebook", wait=60).outcome is Outcome.EFFECTIVE
    wait_until(lambda: kernel.run("len(seen) > 0").texts == ["True"], "an actor is past its receive")
