"""Every example of the document, verbatim but for its import lines, in a script without a guard and in a kernel."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tablevault_ext.paths import VaultPaths

from ..support import Kernel, process_named, running_script, wait_until
from .document import BLOCKS, with_new_import

NAMED = Path("/path/to/working/dir")


@pytest.fixture
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What the document leaves to its reader: an ffmpeg, and the directory it names."""
    ffmpeg = tmp_path / "bin" / "ffmpeg"
    ffmpeg.parent.mkdir()
    ffmpeg.write_text('#!/bin/sh\necho "converted $2"\n')
    ffmpeg.chmod(0o755)
    monkeypatch.setenv("PATH", f"{ffmpeg.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("TABLEVAULT_SHARED_LINGER", "2")
    made = [folder for folder in (NAMED, *NAMED.parents) if not folder.exists()]
    try:
        NAMED.mkdir(parents=True, exist_ok=True)
    except PermissionError:
        pytest.skip("only root may make the directory that the document names")
    yield
    for folder in made:
        folder.rmdir()


EXPECTED = [
    "Process completed successfully",
    "Output: converted input.mp4",
    "Process status: ",
    "Cleaned up 2 processes",
    "Processed file1.mp4",
    "Processed file2.mp4",
    "Processed file3.mp4",
    "Downloaded http://example.com/file1",
    "Downloaded http://example.com/file2",
    "Task status: ",
    "Cleared 0 items from the queue",
    "Value: 0",
    "Event is set",
    "Timeout waiting for event",
    "Lock acquired",
]


def test_all_examples_run_in_a_script_that_has_no_guard(surroundings: None, tmp_path: Path, vault: VaultPaths) -> None:
    code = "print('the script begins')\n" + "\n".join(with_new_import(block) for block in BLOCKS)
    with running_script(tmp_path, code) as child:
        out, err = child.communicate(timeout=150)
    assert child.returncode == 0, err
    assert out.count("the script begins") == 1, "a worker ran the script again"
    assert [line for line in EXPECTED if line not in out] == []
    script = process_named(vault, "script.py")
    assert script is not None
    assert script.status == "finished"


def test_all_examples_run_in_a_kernel(
    surroundings: None, start_kernel: Callable[..., Kernel], vault: VaultPaths
) -> None:
    kernel = start_kernel()
    texts = []
    for block in BLOCKS:
        reply = kernel.run(with_new_import(block), timeout=60)
        assert reply.status == "ok", f"{block}\n{reply.text}"
        texts.append(reply.text)
    out = "\n".join(texts)
    assert [line for line in EXPECTED if line not in out] == []


def test_the_exported_names_cover_the_document() -> None:
    import tablevault_ext.process_manager as face

    words = {word for block in BLOCKS for word in block.replace("(", " ").replace(",", " ").split()}
    called = {name for name in words if name in vars(face) and callable(vars(face)[name])}
    assert len(called) > 25
    assert called <= set(face.__all__)
    assert all(hasattr(face, name) for name in face.__all__)


def test_importing_it_loads_neither_the_vault_nor_duckdb(tmp_path: Path) -> None:
    code = """
        import sys
        import tablevault_ext.process_manager
        print([name for name in ("duckdb", "IPython", "tablevault_ext.session", "tablevault_ext.control.tree")
               if name in sys.modules])
    """
    with running_script(tmp_path, code) as child:
        out, err = child.communicate(timeout=120)
    assert out.strip() == "[]", err


def test_what_was_launched_is_in_the_tree_under_the_cell_that_launched_it(kernel: Kernel, vault: VaultPaths) -> None:
    reply = kernel.run(
        """
        from tablevault_ext.process_manager import *
        command = start_process(["sleep", "600"], name="sleeper")
        print(submit_task(lambda: 1, executor_id=create_process_pool(1, "work")))
        """
    )
    assert reply.status == "ok", reply.text
    sleeper = wait_until(lambda: process_named(vault, "sleeper"), "the command has a name")
    worker = wait_until(lambda: process_named(vault, "work.worker"), "the worker has a name")
    assert (sleeper.kind, worker.kind) == ("command", "worker")
    assert (sleeper.status, worker.status) == ("running", "running")
    assert sleeper.parent_id == worker.parent_id
    assert sleeper.parent_id is not None
    assert (sleeper.parent_cell, worker.parent_cell) == (1, 1)
    kernel.client.shutdown()
    # ipykernel would wait 29 s for a child that is deaf to SIGTERM, and for workers that replace dead ones.
    wait_until(lambda: kernel.manager.provisioner.process.poll() is not None, "the kernel has gone", timeout=28)
    wait_until(lambda: (p := process_named(vault, "sleeper")) and p.status == "stopped", "it ends with its kernel")
    wait_until(lambda: (p := process_named(vault, "work.worker")) and p.status.ended, "so does the worker")
