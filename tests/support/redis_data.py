"""What redis-py answers, as the bytes that the farm's clients get: by its types it may be text."""

from collections.abc import Callable, Iterable

import redis


def data(answer: object) -> bytes:
    assert isinstance(answer, bytes)
    return answer


def texts(answers: Iterable[object]) -> list[str]:
    return [data(each).decode() for each in answers]


def spoil(client: redis.Redis, key: str, old: bytes, new: bytes) -> None:
    """Replace a part of a value."""
    client.set(key, data(client.get(key)).replace(old, new))


def command(client: redis.Redis, *words: str | int) -> object:
    """Send any command; redis-py's method has no types."""
    execute: Callable[..., object] = client.execute_command
    return execute(*words)
