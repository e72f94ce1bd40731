"""Bounded logs: what is kept, how it is read, and that no output does harm."""

from __future__ import annotations

import os
import re
import resource
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tablevault_ext.errors import BadArgument
from tablevault_ext.journal.log_files import LogReader, LogWriter, segments
from tablevault_ext.journal.log_lines import SYSTEM, LogLine, clean, follow, interleave, last_lines
from tablevault_ext.journal.log_pump import LogPump

SMALL = 64 << 10


def pump(folder: Path, command: list[str], *, total: int = SMALL, through: int | None = None) -> LogPump:
    read, write = os.pipe()
    pump = LogPump(read, LogWriter(folder, "stdout", total=total), through)
    pump.start()
    with subprocess.Popen(command, stdout=write, stderr=subprocess.DEVNULL) as process:
        os.close(write)
        process.wait(120)
    return pump


def harmless(text: str) -> bool:
    """Colours apart, nothing that a terminal obeys."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    return not any((ord(sign) < 32 and sign not in "\t\n\r") or 127 <= ord(sign) < 160 for sign in plain)


def test_what_was_written_is_read_back_at_its_offset(tmp_path: Path) -> None:
    with LogWriter(tmp_path, "stdout") as log:
        log.write(b"hello ")
        log.write(b"world\n")
    reader = LogReader(tmp_path, "stdout")
    assert reader.end == 12
    assert reader.read(6, 5).data == b"world"
    assert reader.read(12).data == b""
    assert reader.read(99).data == b""
    assert stat.S_IMODE((tmp_path / "stdout.log").stat().st_mode) == 0o600


def test_the_head_and_the_newest_output_are_kept_and_the_middle_is_counted(tmp_path: Path) -> None:
    with LogWriter(tmp_path, "stdout", total=SMALL) as log:
        for number in range(20_000):
            log.write(b"%07d\n" % number)
    kept = segments(tmp_path, "stdout")
    assert sum(segment.size for segment in kept) <= SMALL
    reader = LogReader(tmp_path, "stdout")
    assert reader.end == 160_000
    head = reader.read(0, SMALL)
    assert head.data.startswith(b"0000000\n0000001\n")
    assert (head.skipped, head.next_offset) == (0, SMALL // 8)  # a chunk ends at the gap
    after = reader.read(head.next_offset, SMALL)
    assert after.skipped == after.offset - head.next_offset > 0
    assert after.data.startswith(b"%07d\n" % (after.offset // 8))
    assert after.next_offset == 160_000
    assert reader.tail(2).data == b"0019998\n0019999\n"
    assert len(list(tmp_path.glob("*.times"))) <= len(kept)


def test_a_writer_that_starts_again_goes_on_at_the_end(tmp_path: Path) -> None:
    for number in range(30):
        with LogWriter(tmp_path, "stdout", total=SMALL) as log:
            log.write(b"%02d" % number * 1000)
    reader = LogReader(tmp_path, "stdout")
    assert reader.end == 60_000
    assert reader.read(58_000, 4).data == b"2929"


@pytest.mark.parametrize(("lines", "expected"), [(0, b""), (1, b"c"), (2, b"b\nc"), (3, b"a\nb\nc"), (9, b"a\nb\nc")])
def test_tail_counts_an_unfinished_line(tmp_path: Path, lines: int, expected: bytes) -> None:
    with LogWriter(tmp_path, "stdout") as log:
        log.write(b"a\nb\nc")
    assert LogReader(tmp_path, "stdout").tail(lines).data == expected


def test_tail_reaches_back_over_segments_and_is_bounded(tmp_path: Path) -> None:
    with LogWriter(tmp_path, "stdout", total=SMALL) as log:
        log.write(b"x" * 20_000 + b"\n" + b"y" * 30_000)
    reader = LogReader(tmp_path, "stdout")
    assert reader.tail(1).data == b"y" * 30_000
    assert reader.tail(2).data == b"x" * 20_000 + b"\n" + b"y" * 30_000
    bounded = reader.tail(5, max_bytes=100)
    assert (bounded.data, bounded.offset) == (b"y" * 100, 50_001 - 100)


def test_no_log_reads_as_empty(tmp_path: Path) -> None:
    reader = LogReader(tmp_path / "missing", "stderr")
    assert (reader.end, reader.read().data, reader.tail(5).data, reader.time_of(0)) == (0, b"", b"", None)
    assert last_lines(tmp_path / "missing", 5) == []


@pytest.mark.parametrize("bad", ["../x", "", "STDOUT", "a.b"])
def test_names_that_could_climb_out_are_refused(tmp_path: Path, bad: str) -> None:
    with pytest.raises(BadArgument):
        LogReader(tmp_path, bad)


def test_bad_numbers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadArgument):
        LogReader(tmp_path, "stdout").read(-1)
    with pytest.raises(BadArgument):
        LogWriter(tmp_path, "stdout", total=10)


def test_a_log_of_a_gigabyte_does_not_fill_memory_or_disk(tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    running = pump(tmp_path, ["head", "-c", str(1 << 30), "/dev/zero"], total=4 << 20)
    running.join(120)
    assert not running.is_alive()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 32 << 10  # KiB
    assert LogReader(tmp_path, "stdout").end == 1 << 30
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 5 << 20
    assert len(LogReader(tmp_path, "stdout").tail(1).data) == 1 << 20  # one endless line is bounded, too


def test_binary_garbage_does_no_harm(tmp_path: Path) -> None:
    running = pump(tmp_path, ["head", "-c", "50000", "/dev/urandom"], total=1 << 20)
    running.join(60)
    reader = LogReader(tmp_path, "stdout")
    assert len(reader.read(0, 1 << 20).data) == 50_000
    lines = last_lines(tmp_path, 1000, ["stdout"])
    assert len(lines) > 10
    for line in lines:
        assert harmless(line.text)
        assert line.text.encode("utf-8").decode("utf-8") == line.text  # no lone surrogates


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # how fast is not the question
@given(st.binary(max_size=300))
def test_cleaned_text_has_nothing_that_controls_a_terminal(data: bytes) -> None:
    assert harmless(clean(data))


def test_output_goes_through_to_the_terminal_until_that_is_gone(tmp_path: Path) -> None:
    terminal, through = os.pipe()
    running = pump(tmp_path, [sys.executable, "-c", "print('seen')"], through=through)
    running.join(60)
    assert os.read(terminal, 100) == b"seen\n"
    os.close(terminal)
    running = pump(tmp_path, [sys.executable, "-c", "print('kept')"], through=through)  # EPIPE
    running.join(60)
    os.close(through)
    assert LogReader(tmp_path, "stdout").read().data == b"seen\nkept\n"


def test_a_daemon_that_holds_the_pipe_does_not_hold_the_pump(tmp_path: Path) -> None:
    read, write = os.pipe()
    running = LogPump(read, LogWriter(tmp_path, "stdout"))
    running.start()
    os.write(write, b"last words\n")  # the pipe stays open, as with a daemon of the program
    assert running.finish(60)
    os.close(write)
    assert LogReader(tmp_path, "stdout").read().data == b"last words\n"


def test_a_full_disk_loses_output_but_not_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be written is counted; later output is kept again."""
    real = os.write
    with LogWriter(tmp_path, "stdout") as log:
        log.write(b"before\n")

        def full(*_: object) -> int:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "write", full)
        log.write(b"lost\n")
        monkeypatch.setattr(os, "write", real)
        log.write(b"after\n")
        assert log.lost == 5
    assert LogReader(tmp_path, "stdout").read().data == b"before\nafter\n"


def test_following_gives_everything_across_rotations_and_ends_with_the_writer(tmp_path: Path) -> None:
    over = threading.Event()

    def write() -> None:
        with LogWriter(tmp_path, "stdout", total=1 << 20) as log:
            for number in range(20_000):
                log.write(b"%07d\n" % number)
        over.set()

    writer = threading.Thread(target=write)
    writer.start()
    chunks = list(follow(LogReader(tmp_path, "stdout"), 0, ended=over.is_set, poll=0.001))
    writer.join(60)
    assert b"".join(chunk.data for chunk in chunks) == b"".join(b"%07d\n" % number for number in range(20_000))
    assert not any(chunk.skipped for chunk in chunks)


def test_lines_of_both_streams_and_of_the_system_stand_in_the_order_of_time(tmp_path: Path) -> None:
    began = time.time()
    with LogWriter(tmp_path, "stdout") as out, LogWriter(tmp_path, "stderr") as err:
        out.write(b"epoch 1\n")
        err.write(b"careful\n")
    lines = last_lines(tmp_path, 10)
    assert sorted(line.text for line in lines) == ["careful", "epoch 1"]
    assert all(line.at is not None and began - 0.2 <= line.at <= time.time() for line in lines)
    event = LogLine(began - 1, SYSTEM, "paused by ana")
    assert next(line.text for line in interleave(lines, [event])) == "paused by ana"
    assert last_lines(tmp_path, 1) == lines[-1:]


def test_times_are_found_by_offset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr(time, "time", lambda: clock[0])
    with LogWriter(tmp_path, "stdout", total=SMALL) as log:
        for _ in range(3):
            log.write(b"x" * 5000)  # crosses a segment's end
            clock[0] += 10
    reader = LogReader(tmp_path, "stdout")
    assert [reader.time_of(offset) for offset in (0, 4999, 5000, 9999, 10_000, 15_000)] == [
        1000.0, 1000.0, 1010.0, 1010.0, 1020.0, None,
    ]  # fmt: skip
    (tmp_path / "stdout.times").write_bytes(b"torn")
    assert reader.time_of(0) is None
