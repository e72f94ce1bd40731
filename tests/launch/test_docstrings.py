"""The examples in the docstrings run as they stand, in a script."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..support import running_script

CODE = """
import doctest
import sys
import tablevault_ext.process_manager as face
from tablevault_ext.launch import arguments, commands

names = {name: getattr(face, name) for name in face.__all__}
tests = doctest.DocTestFinder(exclude_empty=True)
runner = doctest.DocTestRunner()
desks = face.ProcessManager.__mro__[:-1]
for thing in (*desks, face.get_process_manager, face.Command, arguments):
    for test in tests.find(thing, globs=dict(vars(arguments) | names)):
        runner.run(test)
print(runner.tries, runner.failures)
"""


def test_the_examples_in_the_docstrings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TABLEVAULT_SHARED_LINGER", "2")
    with running_script(tmp_path, CODE) as child:
        out, err = child.communicate(timeout=150)
    tries, failures = out.splitlines()[-1].split()
    assert (failures, err) == ("0", ""), out
    assert int(tries) > 20
