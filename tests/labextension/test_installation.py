"""`pip install .` alone builds and enables both halves of the panel."""

import json
import subprocess
import sys
from pathlib import Path


def jupyter(*arguments: str) -> str:
    command = [sys.executable, "-m", "jupyter", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True, stdin=subprocess.DEVNULL)
    return done.stdout + done.stderr


def row(listing: str, name: str) -> str:
    return next(line for line in listing.splitlines() if name in line and "abled" in line)


def test_the_lab_extension_is_enabled(installed: Path) -> None:
    """JupyterLab finds the front end, takes it for compatible, and knows which package brought it."""
    line = row(jupyter("labextension", "list"), "tablevault-ext")
    assert "enabled" in line
    assert "OK" in line
    assert "(python, tablevault-ext)" in line


def test_the_server_extension_is_enabled(installed: Path) -> None:
    """Jupyter Server finds, enables and can load the server extension."""
    listing = jupyter("server", "extension", "list")
    assert "enabled" in row(listing, "tablevault_ext")
    assert "OK" in listing.split("Validating tablevault_ext")[1].split("\n")[1]


def test_the_built_extension_is_small(installed: Path) -> None:
    """A page load fetches at most 400 kB for the panel."""
    scripts = list(installed.glob("static/*.js"))
    assert scripts
    assert sum(script.stat().st_size for script in scripts) <= 400_000


def test_no_registry_host_in_the_lock_file() -> None:
    """Whoever builds this uses the registry that his own npm is set up with."""
    folder = Path(__file__).parents[2] / "labextension"
    lock = json.loads((folder / "package-lock.json").read_text())
    assert not [name for name, entry in lock["packages"].items() if "resolved" in entry]


def test_importing_the_package_does_not_import_the_server() -> None:
    """A kernel that imports the package pays nothing for the server extension."""
    code = "import sys, tablevault_ext; sys.exit('jupyter_server' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
