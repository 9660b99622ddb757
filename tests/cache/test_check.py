"""What `farm doctor` says of the cache's Redis."""

import pytest

from farm.cache.check import check
from farm.errors import StartError
from tests.cache.conftest import Server


def test_a_server_that_evicts_is_right(server: Server) -> None:
    server.client.config_set("maxmemory", "100mb")
    server.client.config_set("maxmemory-policy", "allkeys-lru")
    check(server.url)


@pytest.mark.parametrize(
    ("memory", "policy"), [("100mb", "noeviction"), ("0", "allkeys-lru"), ("0", "noeviction")]
)
def test_a_server_that_would_fill_up_is_told(server: Server, memory: str, policy: str) -> None:
    server.client.config_set("maxmemory", memory)
    server.client.config_set("maxmemory-policy", policy)
    with pytest.raises(StartError, match="FARM_CACHE_URL never evicts: set a maxmemory"):
        check(server.url)


@pytest.mark.parametrize(
    "url", ["redis://127.0.0.1:1", "unix:///nowhere/s", "redis://127.0.0.1:1/x"]
)
def test_a_server_that_is_not_there_is_told(url: str) -> None:
    with pytest.raises(StartError, match=r"FARM_CACHE_URL does not answer: .*\.$"):
        check(url)
