"""Files that the farm loads by itself."""

from collections.abc import Iterator

import pytest

from farm.downloading import Downloader
from farm.errors import NavigationFailed, OutputTooLarge, RenderTimeout, UrlRefused
from farm.render import Engine
from tests.support.farm_process import free_port
from tests.support.recording_site import RecordingSite, running_recording_site
from tests.support.site import Site


@pytest.fixture
def downloader(engine: Engine) -> Downloader:
    return Downloader(engine.open_port, timeout_s=10)


@pytest.fixture
def files() -> Iterator[RecordingSite]:
    with running_recording_site(pages={"/a.txt": "x" * 100}) as running:
        yield running


def test_a_file_is_what_is_answered(downloader: Downloader, files: RecordingSite) -> None:
    found = downloader.get(f"{files.url}/redirect?to=/a.txt", {"X-Foo": "bar"}, 100)
    assert (found.status, found.data) == (200, b"x" * 100)
    assert found.headers["content-type"] == "text/plain"
    assert files.values("X-Foo")["/a.txt"] == "bar"


def test_a_file_has_no_more_than_it_may(downloader: Downloader, files: RecordingSite) -> None:
    with pytest.raises(OutputTooLarge):
        downloader.get(f"{files.url}/a.txt", {}, 99)


@pytest.mark.parametrize("url", ["http://10.0.0.1/", "http://127.0.0.1:9/"])
def test_the_policy_decides(downloader: Downloader, url: str) -> None:
    with pytest.raises(UrlRefused):
        downloader.get(url, {}, 100)


def test_redirects_are_checked_against_the_policy(
    downloader: Downloader, files: RecordingSite
) -> None:
    with pytest.raises(UrlRefused):
        downloader.get(f"{files.url}/redirect?to=http://10.0.0.1/", {}, 100)


def test_an_unreachable_host_is_named_in_the_error(downloader: Downloader) -> None:
    with pytest.raises(NavigationFailed, match="refused the connection"):
        downloader.get(f"http://127.0.0.1:{free_port()}/", {}, 100)


def test_a_file_takes_no_longer_than_it_may(engine: Engine, site: Site) -> None:
    with pytest.raises(RenderTimeout):
        Downloader(engine.open_port, timeout_s=0.2).get(f"{site.url}/slow", {}, 100)
    site.hold.set()


def test_files_after_the_common_deadline_are_not_requested(
    downloader: Downloader, files: RecordingSite
) -> None:
    with pytest.raises(RenderTimeout):
        downloader.get(f"{files.url}/a.txt", {}, 100, end=downloader.end() - 11)
    assert not files.sent


def test_why_it_failed_does_not_name_the_url(downloader: Downloader) -> None:
    with pytest.raises(UrlRefused) as caught:
        downloader.get("http://10.0.0.1/secret", {}, 100)
    assert caught.value.__cause__ is None
