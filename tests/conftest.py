"""Fixtures that every test may ask for."""

from typing import Any

import pytest
from hypothesis import settings

# How long an example takes says more about the machine than about the code.
settings.register_profile("onemcp", deadline=None)
settings.load_profile("onemcp")


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Asynchronous tests run on asyncio with uvloop, as the gateway does."""
    return "asyncio", {"use_uvloop": True}
