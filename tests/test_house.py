"""The house rules: style, types, layers, documentation that runs, kernels that stay light."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(600)  # mypy, cold, on whatever machine

ROOT = Path(__file__).resolve().parent.parent


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=550, check=False)


@pytest.mark.parametrize("arguments", [("check",), ("format", "--check")])
def test_ruff_is_content(arguments: tuple[str, ...]) -> None:
    """Style and formatting, as pyproject.toml says."""
    done = run(sys.executable, "-m", "ruff", *arguments, ".")
    assert done.returncode == 0, done.stdout


def test_types_hold() -> None:
    """mypy, strict."""
    done = run(sys.executable, "-m", "mypy")
    assert done.returncode == 0, done.stdout


def test_imports_run_downward_only() -> None:
    """The layer contract of the design."""
    done = run(str(Path(sys.executable).with_name("lint-imports")), "--no-cache")
    assert done.returncode == 0, done.stdout


def modules_with_examples() -> list[str]:
    files = sorted((ROOT / "tablevault_ext").rglob("*.py"))
    return [str(path.relative_to(ROOT)) for path in files if ">>>" in path.read_text()]


def test_examples_in_docstrings_run(tmp_path: Path) -> None:
    """Every `>>>` of the package."""
    listed = modules_with_examples()
    assert len(listed) > 10
    code = """
import doctest, importlib, json, sys
failed = tried = 0
for path in json.loads(sys.argv[1]):
    name = path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
    # The examples of the launching room are written as its users write them: through the process manager.
    face = importlib.import_module("tablevault_ext.process_manager") if ".launch." in name else None
    names = {each: getattr(face, each) for each in face.__all__} if face else {}
    result = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS, extraglobs=names)
    failed, tried = failed + result.failed, tried + result.attempted
print(tried)
sys.exit(bool(failed))
"""
    script = tmp_path / "examples.py"
    script.write_text(code)
    done = run(sys.executable, str(script), json.dumps(listed))
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout.split()[-1]) > 20


def test_recording_imports_neither_duckdb_nor_the_server() -> None:
    """What a kernel loads stays light."""
    code = (
        "import sys; from tablevault_ext import Vault; Vault(process_name='x').append_record('r', 1); "
        "print([m for m in ('duckdb', 'jupyter_server', 'click', 'rich', 'pandas', 'numpy') if m in sys.modules])"
    )
    done = run(sys.executable, "-c", code)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_nothing_of_this_machine_is_in_the_repository() -> None:
    """No path of a machine, no registry host, no generated file."""
    listed = run("git", "ls-files").stdout.splitlines()
    if not listed:
        pytest.fail("not a git checkout")
    for name in listed:
        path = ROOT / name
        assert not name.startswith(("tablevault_ext/labextension/", "build/", "dist/")), name
        if path.suffix in (".json", ".lock") and path.exists():
            assert '"resolved"' not in path.read_text(errors="replace"), name
