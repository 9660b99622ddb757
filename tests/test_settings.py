"""Settings: read from the environment, all wrong ones named at once."""

import base64
import traceback
from functools import partial
from pathlib import Path

import pytest

from farm.machine import usable_cores
from farm.settings import MAX_SENDING, Settings, SettingsError
from farm.settings.table import as_markdown


def test_every_setting_has_a_default() -> None:
    assert Settings().render_deadline_s == 30


def test_a_setting_is_read_from_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FARM_MAX_WAITING", "7")
    assert Settings.from_environment().max_waiting == 7


def test_port_is_read_too_and_farm_port_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "4000")
    assert Settings.from_environment().port == 4000
    monkeypatch.setenv("FARM_PORT", "5000")
    assert Settings.from_environment().port == 5000


def test_all_wrong_settings_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FARM_PORT", "eighty")
    monkeypatch.setenv("FARM_PAGES_PER_BROWSER", "0")
    monkeypatch.setenv("FARM_CHROMIUM_SANDBOX", "maybe")
    monkeypatch.setenv("FARM_MAX_WAITIN", "3")
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment()
    lines = str(caught.value).splitlines()
    assert [line.partition(" ")[0].rstrip(":") for line in lines] == [
        "FARM_MAX_WAITIN",
        "FARM_PORT",
        "FARM_PAGES_PER_BROWSER",
        "FARM_CHROMIUM_SANDBOX",
    ]
    assert "did you mean FARM_MAX_WAITING?" in lines[0]


def test_an_empty_variable_is_an_unset_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FARM_WORKERS", "")
    assert Settings.from_environment().workers is None


def test_origins_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FARM_CORS_ORIGINS", "https://a.example, https://b.example")
    assert Settings.from_environment().cors_origins == ("https://a.example", "https://b.example")


def test_something_that_is_no_origin_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FARM_CORS_ORIGINS", "a.example")
    with pytest.raises(SettingsError, match=r"FARM_CORS_ORIGINS: 'a\.example'"):
        Settings.from_environment()


def test_wrong_keys_and_rates_are_named_and_no_key_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FARM_API_KEYS", "anna:0123456789abcdef,bob:0123456789abcdef,geheimnis")
    monkeypatch.setenv("FARM_API_KEYS_PATH", str(tmp_path / "keys"))
    monkeypatch.setenv("FARM_RATE_LIMIT", "often")
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment()
    assert str(caught.value).splitlines() == [
        "FARM_API_KEYS: pair 2 has a key that was there before; pair 3 is not name:key",
        "FARM_API_KEYS_PATH: the file cannot be read: No such file or directory",
        "FARM_RATE_LIMIT: must be like 60/minute, or 10/second;1000/hour",
    ]
    everything = "".join(traceback.format_exception(caught.value))
    assert "geheimnis" not in everything
    assert "cdef" not in everything


def test_keys_come_from_one_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "keys"
    path.write_text("anna:0123456789abcdef")
    monkeypatch.setenv("FARM_API_KEYS_PATH", str(path))
    callers = Settings.from_environment().callers
    assert callers
    assert callers.name_of("0123456789abcdef") == "anna"
    monkeypatch.setenv("FARM_API_KEYS", "anna:0123456789abcdef")
    with pytest.raises(SettingsError, match="FARM_API_KEYS: must not be set together"):
        Settings.from_environment()


def test_keys_are_not_in_what_the_settings_look_like() -> None:
    settings = Settings(api_keys="anna:0123456789abcdef")
    assert "0123456789" not in f"{settings!r} {settings} {settings.callers!r}"


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"cpu.max": "150000 100000\n"}, 1.5),
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu/cpu.cfs_quota_us": "50000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 0.5),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({}, None),
    ],
)
def test_cores_follow_the_quota_of_the_cgroup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], cores: float | None
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1, 2, 3})
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    assert usable_cores(tmp_path) == (cores or 4)


@pytest.mark.parametrize(("cores", "workers"), [(0.5, 1), (2, 1), (3.9, 1), (4, 2), (16, 8)])
def test_workers_follow_half_of_the_cores(
    monkeypatch: pytest.MonkeyPatch, cores: float, workers: int
) -> None:
    monkeypatch.setattr("farm.settings.settings.usable_cores", lambda: cores)
    assert Settings().worker_count == workers


@pytest.mark.parametrize(
    ("cache", "is_the_same"),
    [
        ("redis://h/1", True),
        ("redis://:secret@H:6379/0", True),
        ("rediss://h", True),
        ("redis://h:6380/0", False),
        ("redis://other/0", False),
        ("unix:///h", False),
    ],
)
def test_a_cache_on_the_queues_server_is_refused(cache: str, is_the_same: bool) -> None:
    settings = partial(
        Settings,
        redis_url="redis://user:secret@h:6379/0",
        storage_url="redis:",
        cache_url=cache,
    )
    if not is_the_same:
        assert settings().cache_address == cache
        return
    with pytest.raises(ValueError, match="FARM_CACHE_URL: must be another server") as caught:
        settings()
    assert "secret" not in str(caught.value)


def test_a_cache_on_the_embedded_queues_server_is_refused(tmp_path: Path) -> None:
    queue = Settings(data_dir=tmp_path).queue_url
    with pytest.raises(ValueError, match="FARM_CACHE_URL: must be another server"):
        Settings(data_dir=tmp_path, cache_url=queue)


def test_the_cache_is_embedded_where_the_queue_is_and_else_none() -> None:
    assert Settings().has_embedded_cache
    remote = Settings(redis_url="redis://h", storage_url="redis:")
    assert remote.cache_address is None
    assert not Settings(cache_url="redis://h").has_embedded_cache


def test_threads_cover_pages_line_answers_and_a_few_more() -> None:
    settings = Settings(pages_per_browser=8, max_waiting=56)
    assert settings.threads >= 8 + 56 + MAX_SENDING + 4


def test_the_documented_table_is_up_to_date() -> None:
    documented = Path(__file__).parents[1] / "docs" / "settings.md"
    assert documented.read_text() == as_markdown()


def test_a_secret_may_be_a_file_and_a_variable_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "render-farm"
    folder.mkdir()
    (folder / "farm_dashboard_password").write_text("from a file\n")
    (tmp_path / "something_else").write_text("of another program\n")
    monkeypatch.setitem(Settings.model_config, "secrets_dir", [tmp_path, folder])
    assert Settings.from_environment().dashboard_password == "from a file"
    monkeypatch.setenv("FARM_DASHBOARD_PASSWORD", "from the environment")
    assert Settings.from_environment().dashboard_password == "from the environment"


KEY = base64.b64encode(b"k" * 24).decode()


@pytest.mark.parametrize(
    ("secret", "keys"),
    [
        (f"whsec_{KEY}", 1),
        (KEY, 1),
        (f"whsec_{base64.b64encode(b'k' * 25).decode().rstrip('=')}", 1),
        (f"whsec_{KEY} whsec_{base64.b64encode(b'n' * 64).decode()}", 2),
    ],
)
def test_a_webhooks_secret_is_one_key_or_several(secret: str, keys: int) -> None:
    settings = Settings.model_validate({"webhook_secret": secret})
    assert len(settings.webhook_keys) == keys
    assert KEY not in repr(settings)
    assert Settings().webhook_keys == ()


@pytest.mark.parametrize("secret", ["whsec_", "s3cret", "whsec_s3cret!", f"{KEY} s3cret", " ", "ü"])
def test_a_webhooks_secret_that_is_none_is_refused_and_not_told(
    secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FARM_WEBHOOK_SECRET", secret)
    with pytest.raises(SettingsError, match=r"FARM_WEBHOOK_SECRET: .*must be whsec_") as caught:
        Settings.from_environment()
    assert "s3cret" not in str(caught.value)
