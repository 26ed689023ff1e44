"""Fixtures that every test may ask for."""

from typing import Any

import pytest


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Asynchronous tests run on asyncio with uvloop, as the gateway does."""
    return "asyncio", {"use_uvloop": True}
