"""Reads the wall clock, in the contract's format of times. Any thread may call it."""

from datetime import UTC, datetime


def timestamp() -> str:
    """Now, in UTC, with milliseconds: `2024-01-15T10:30:45.123Z`."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def seconds() -> int:
    """Now, in whole seconds since 1970."""
    return int(datetime.now(UTC).timestamp())


def age_s(moment: str) -> float:
    """Seconds since a `timestamp`; 0 if the clock was set back meanwhile."""
    return max(0.0, (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds())
