"""The embedded Valkey: what it holds outlives it, and its directory has one farm."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import redis

from farm.errors import StartError
from farm.jobs.embedded import EmbeddedValkey
from farm.settings import Settings
from tests.support.farm_process import gone, wait_until

pytestmark = pytest.mark.dedicated

#: A farm that is killed before it could stop its Valkey.
KILLED_FARM = """
import os, signal
from farm.jobs.embedded import EmbeddedValkey
from farm.settings import Settings
valkey = EmbeddedValkey(Settings())
valkey.start()
print(valkey.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", embedded_memory_bytes=20_000_000)


@pytest.fixture
def valkey(settings: Settings) -> Iterator[EmbeddedValkey]:
    embedded = EmbeddedValkey(settings)
    yield embedded
    embedded.stop()


@pytest.fixture
def client(settings: Settings) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(settings.queue_url) as connected:
        yield connected


def test_data_outlive_a_stop(valkey: EmbeddedValkey, client: redis.Redis) -> None:
    valkey.start()
    assert valkey.running
    client.set("job", "accepted")
    valkey.stop()
    assert not valkey.running
    valkey.start()
    assert client.get("job") == b"accepted"


def test_data_outlive_a_kill(valkey: EmbeddedValkey, client: redis.Redis) -> None:
    valkey.start()
    client.set("job", "accepted")
    assert valkey.pid is not None
    os.kill(valkey.pid, signal.SIGKILL)
    wait_until(lambda: not valkey.running)
    assert valkey.exit_status == -signal.SIGKILL
    valkey.start()
    assert valkey.exit_status is None
    assert client.get("job") == b"accepted"


def test_it_refuses_writes_rather_than_lose_any_and_others_cannot_reach_it(
    valkey: EmbeddedValkey, client: redis.Redis, settings: Settings
) -> None:
    valkey.start()
    assert client.config_get("maxmemory*") | {
        "maxmemory": "20000000",
        "maxmemory-policy": "noeviction",
    } == client.config_get("maxmemory*")
    assert client.config_get("append*")["appendfsync"] == "everysec"
    assert stat.S_IMODE(valkey.folder.stat().st_mode) == 0o700
    assert psutil.Process(valkey.pid).net_connections("inet") == []


def test_ctrl_c_does_not_reach_it(valkey: EmbeddedValkey, client: redis.Redis) -> None:
    """It is in the group of `farm serve`, and would end before all that needs it."""
    valkey.start()
    assert valkey.pid is not None
    os.kill(valkey.pid, signal.SIGINT)
    client.set("job", "accepted")
    client.close()
    assert client.get("job") == b"accepted"


def test_a_directory_has_one_farm(valkey: EmbeddedValkey, settings: Settings) -> None:
    valkey.start()
    other = EmbeddedValkey(settings)
    with pytest.raises(StartError) as error:
        other.start()
    assert str(settings.data_dir) in str(error.value)
    assert "Another farm uses" in str(error.value)
    assert "FARM_DATA_DIR" in str(error.value)
    assert valkey.running
    valkey.stop()
    other.start()
    other.stop()


def test_the_valkey_of_a_killed_farm_is_replaced(
    valkey: EmbeddedValkey, client: redis.Redis, settings: Settings
) -> None:
    environment = {**os.environ, "FARM_DATA_DIR": str(settings.data_dir)}
    printed = subprocess.run(
        [sys.executable, "-c", KILLED_FARM], env=environment, stdout=subprocess.PIPE, timeout=60
    ).stdout
    orphan = psutil.Process(int(printed))
    client.set("job", "accepted")
    valkey.start()
    assert gone([orphan])
    assert valkey.pid != orphan.pid
    assert client.get("job") == b"accepted"


def test_too_long_a_path_is_told(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"107 bytes.* FARM_DATA_DIR to a shorter path"):
        EmbeddedValkey(Settings(data_dir=tmp_path / ("x" * 100))).start()


def test_a_path_that_valkeys_configuration_cannot_name_is_told(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="FARM_DATA_DIR to a path without spaces"):
        EmbeddedValkey(Settings(data_dir=tmp_path / "my data")).start()


@pytest.mark.parametrize("file", ["data", "data/valkey", "data/valkey/valkey.conf/x"])
def test_what_is_no_directory_or_no_file_is_told(
    valkey: EmbeddedValkey, settings: Settings, tmp_path: Path, file: str
) -> None:
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).touch()
    with pytest.raises(StartError, match=r"cannot be used \(.*\): set FARM_DATA_DIR"):
        valkey.start()


def test_data_that_cannot_be_read_are_told_with_the_place_of_the_log(
    valkey: EmbeddedValkey, client: redis.Redis
) -> None:
    valkey.start()
    client.set("job", "accepted")
    valkey.stop()
    (manifest,) = valkey.folder.glob("appendonlydir/*.manifest")
    manifest.write_text("not a manifest")
    with pytest.raises(StartError, match="does not start") as error:
        valkey.start()
    log_path = valkey.folder / "valkey.log"
    assert str(log_path) in str(error.value)
    assert "manifest" in log_path.read_text()


def test_its_log_does_not_grow_without_bound(valkey: EmbeddedValkey) -> None:
    log_path = valkey.folder / "valkey.log"
    log_path.parent.mkdir(parents=True)
    log_path.write_bytes(b"x" * 5_000_000)
    valkey.start()
    assert log_path.stat().st_size < 10_000
