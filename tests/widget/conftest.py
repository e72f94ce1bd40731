"""A kernel with the panel on show."""

from __future__ import annotations

import pytest

from ..support import Kernel
from .front_end import FrontEnd


@pytest.fixture
def front_end(kernel: Kernel) -> FrontEnd:
    return FrontEnd(kernel)
