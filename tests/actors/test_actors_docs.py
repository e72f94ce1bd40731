"""The examples in docs/actors.md and in the docstrings run."""

from __future__ import annotations

import asyncio
import doctest
import inspect
import pkgutil
import re
from pathlib import Path
from typing import Any

import pytest

import tablevault_ext.actors
from tablevault_ext import actors as process

PAGE = Path(__file__).parents[2] / "docs" / "actors.md"
EXPECTED = ["hello, Ada\n", "False\nEXIT True ValueError('no such file')\n", "42\n"]


@pytest.mark.parametrize("place", range(3))
def test_examples_of_the_page(place: int, capsys: pytest.CaptureFixture[str], deaths: list[Any]) -> None:
    """Each block, with those before it."""
    names: dict[str, Any] = {}
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    assert len(blocks) == len(EXPECTED)
    for block in blocks[: place + 1]:
        exec(compile(block, str(PAGE), "exec"), names)
    asyncio.run(names["main"]())
    assert capsys.readouterr().out.startswith(EXPECTED[place])
    deaths.clear()  # the end of asyncio.run cancels the actors that an example leaves behind


def documented() -> list[tuple[str, Any, dict[str, Any]]]:
    """Every object of the package with an example: its name, itself, the names its example may use."""
    found = []
    for info in pkgutil.iter_modules(tablevault_ext.actors.__path__):
        module = __import__(f"tablevault_ext.actors.{info.name}", fromlist=["x"])
        for name, thing in [("", module), *vars(module).items()]:
            own = thing is module or getattr(thing, "__module__", None) == module.__name__
            if own and ">>> " in (inspect.getdoc(thing) or ""):
                found.append((f"{info.name}.{name}", thing, {**vars(process), **vars(module)}))
    return [("package", tablevault_ext.actors, {}), *found]


@pytest.mark.parametrize(("name", "thing", "names"), documented(), ids=[entry[0] for entry in documented()])
def test_examples_of_the_docstrings(name: str, thing: Any, names: dict[str, Any], deaths: list[Any]) -> None:
    """What can be typed is typed; a `main` that an example defines is run."""
    text = inspect.getdoc(thing) or ""
    example = doctest.DocTestParser().get_doctest(text, dict(names), name, None, 0)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL)
    result = runner.run(example, clear_globs=False)
    assert result.failed == 0 and result.attempted > 0
    if "main" in example.globs:
        asyncio.run(asyncio.wait_for(example.globs["main"](), 120))
    deaths.clear()
