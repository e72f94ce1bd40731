"""What a process and its descendants write below their working directory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from tablevault_ext.control.files import FileWatch

from .conftest import wait_until


def names(watch: FileWatch, *pids: int) -> set[str]:
    return {str(Path(file.path).relative_to(watch.folder)) for file in watch.look(pids).files}


def test_new_and_grown_files_are_seen_and_old_ones_are_not(tmp_path: Path) -> None:
    old, grown = tmp_path / "old.bin", tmp_path / "grown.bin"
    for file in (old, grown):
        file.write_bytes(b"x" * 10)
        os.utime(file, (1_000_000, 1_000_000))
    watch = FileWatch(tmp_path, since=time.time() - 5, max_seconds=60)
    assert watch.look().files == ()
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints/epoch 1.pt").write_bytes(b"x" * 100)
    with grown.open("ab") as file:
        file.write(b"y" * 5)
    report = watch.look()
    seen = {Path(file.path).name: (file.size, file.grown) for file in report.files}
    assert seen == {"epoch 1.pt": (100, 100), "grown.bin": (15, 15)}
    assert report.complete
    assert all(0 <= file.age < 180 for file in report.files)
    with grown.open("ab") as file:
        file.write(b"z" * 7)
    assert {Path(file.path).name: file.grown for file in watch.look().files}["grown.bin"] == 7
    grown.unlink()
    assert names(watch) == {"checkpoints/epoch 1.pt"}
    assert json.loads(json.dumps(report.to_json()))["complete"] is True


def test_what_is_open_for_writing_is_found_first(tmp_path: Path) -> None:
    """Deep below, with no time to walk at all; what is only read is not a result."""
    deep = tmp_path / "a/b/c/d"
    deep.mkdir(parents=True)
    (deep / "read.bin").write_bytes(b"x")
    program = (
        "import sys, time\nfrom pathlib import Path\nfolder = Path(sys.argv[1])\n"
        "r = (folder / 'read.bin').open('rb')\nw = (folder / 'video.mp4').open('wb', buffering=0)\n"
        "w.write(b'x' * 50)\nprint('ready', flush=True)\ntime.sleep(600)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program, str(deep)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        process.stdout.readline()
        watch = FileWatch(tmp_path, since=time.time() - 60, max_entries=0)
        report = watch.look([process.pid])
        assert [(Path(file.path).name, file.size, file.open_in) for file in report.files] == [
            ("video.mp4", 50, process.pid)
        ]
        assert not report.complete
    finally:
        process.kill()
        process.stdout.close()
        process.wait(60)


def test_tools_caches_environments_and_the_vault_are_skipped(tmp_path: Path) -> None:
    for folder in (".git", "node_modules", "__pycache__", "my env", "vault", "results"):
        (tmp_path / folder / "deep").mkdir(parents=True)
        (tmp_path / folder / "deep/file").touch()
    (tmp_path / "my env/pyvenv.cfg").touch()
    watch = FileWatch(tmp_path, since=0, exclude=[tmp_path / "vault"], max_seconds=60)
    assert names(watch) == {"results/deep/file"}


def test_a_big_folder_is_walked_a_little_at_a_time(tmp_path: Path) -> None:
    for number in range(40):
        (tmp_path / f"d{number}").mkdir()
        (tmp_path / f"d{number}/file").touch()
    watch = FileWatch(tmp_path, since=0, max_entries=10, max_seconds=60)
    first = watch.look()
    assert not first.complete
    assert first.walked <= 50
    wait_until(lambda: watch.look().complete)
    assert len(watch.look().files) == 40


def test_links_loops_and_vanishing_folders_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "nowhere").symlink_to(tmp_path / "missing")
    os.mkfifo(tmp_path / "fifo")
    assert FileWatch(tmp_path, since=0, max_seconds=60).look([os.getpid(), 2**22 + 1]).files == ()
    assert FileWatch(tmp_path / "missing", since=0).look().files == ()


def test_only_the_last_changed_files_are_remembered(tmp_path: Path) -> None:
    for number in range(30):
        file = tmp_path / f"{number:02d}"
        file.touch()
        os.utime(file, (1000 + number, 1000 + number))
    report = FileWatch(tmp_path, since=0, max_files=5, max_seconds=60).look()
    assert [Path(file.path).name for file in report.files] == ["29", "28", "27", "26", "25"]
