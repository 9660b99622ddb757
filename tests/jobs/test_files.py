"""Which storage the settings name."""

from pathlib import Path

import pytest

from farm.errors import StartError
from farm.jobs.files import open_storage
from farm.jobs.redis_storage import RedisStorage
from farm.settings import Settings
from farm.storage import ObjectStorage


def test_the_settings_say_which_storage_it_is(valkey: str, tmp_path: Path) -> None:
    in_redis = open_storage(Settings(redis_url=valkey, storage_url="redis:"))
    assert isinstance(in_redis, RedisStorage)
    in_redis.put("files/a", b"x")
    in_directory = open_storage(Settings(data_dir=tmp_path))
    assert isinstance(in_directory, ObjectStorage)
    in_directory.put("files/a", b"x")
    assert (tmp_path / "storage/files/a").exists()


def test_a_storage_that_cannot_be_used_keeps_the_farm_from_starting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StartError, match=r"FARM_STORAGE_URL .* exists"):
        open_storage(Settings(storage_url=(tmp_path / "file").as_uri()))
