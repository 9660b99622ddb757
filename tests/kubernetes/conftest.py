"""What the tests of conf/kubernetes share."""

import os

import pytest

from farm.settings import Settings
from tests.kubernetes.manifests import containers, settings


@pytest.fixture
def as_a_pod(monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings of a pod, as the farm reads them."""
    for name in list(os.environ):
        if name.startswith("FARM_"):
            monkeypatch.delenv(name)
    given = dict(settings()) | {"FARM_REDIS_URL": "rediss://redis.example.com:6379/0"}
    for _, container in containers():
        given |= {one["name"]: one["value"] for one in container.get("env", ())}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    return Settings.from_environment()
