"""Moments as the API writes them."""

from datetime import UTC, datetime


def utc(seconds: float) -> str:
    """Seconds since the epoch as `2025-01-30T12:00:00.000Z`: UTC, milliseconds cut, not rounded."""
    return f"{datetime.fromtimestamp(seconds, UTC).isoformat(timespec='milliseconds')[:-6]}Z"
