"""Tab completes process names: in the shell and in notebooks."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

from ..support import Kernel
from .conftest import Cli


def complete(words: str, incomplete: str = "") -> list[str]:
    """What bash would offer; click's own protocol."""
    environment = dict(os.environ) | {
        "_TABLEVAULT_COMPLETE": "bash_complete",
        "COMP_WORDS": f"tablevault {words} {incomplete}",
        "COMP_CWORD": str(len(words.split()) + 1),
    }
    program = "from tablevault_ext.cli import main; main(prog_name='tablevault')"
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=150, check=False
    )
    assert done.stderr == ""
    return [line.split(",", 1)[1] for line in done.stdout.splitlines() if line]


def test_the_shell_completes_commands_and_names(loop: Any, cli: Cli) -> None:
    assert "pause" in complete("", "pa")
    for command in ("pause", "resume", "stop", "show", "logs", "errors", "withdraw"):
        assert complete(command, "tr") == ["train"], command
    assert complete("stop", "x") == []


def test_only_the_living_are_offered_where_only_they_make_sense(loop: Any, cli: Cli) -> None:
    cli("stop", "train", "--wait", "60")
    loop.wait(90)
    assert complete("stop", "tr") == []
    assert complete("show", "tr") == ["train"]


def test_completion_in_a_vault_that_is_not_there_stays_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TABLEVAULT_HOME", "/nonexistent/vault")
    assert complete("stop", "tr") == []
    assert complete("--vault /nonexistent show", "tr") == []


def matches(kernel: Kernel, code: str) -> list[str]:
    content = kernel.client.complete(code, len(code), reply=True, timeout=90)["content"]
    return content["matches"]


def test_the_kernel_completes_names_options_and_magics(loop: Any, kernel: Kernel) -> None:
    for magic in ("vault_pause", "vault_resume", "vault_stop", "vault_show", "vault_logs", "vault_errors"):
        assert "train" in matches(kernel, f"%{magic} tr"), magic
    assert "--keep-kernel" in matches(kernel, "%vault_stop --k")
    assert "%vault_errors" in matches(kernel, "%vault_e")


def test_unloading_takes_the_completions_away(loop: Any, kernel: Kernel) -> None:
    kernel.run("%unload_ext tablevault_ext")
    assert "train" not in matches(kernel, "%vault_stop tr")
