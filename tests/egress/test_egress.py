"""The egress proxy's process, as the farm keeps it."""

import os
import pwd
import resource
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import psutil
import pytest
import requests
import structlog

from farm.egress import Egress, Port, egress
from farm.errors import BrowserUnavailable, FarmError, NavigationFailed, UrlRefused
from farm.policy import Names, Policy, Refusal
from farm.render import Engine
from tests.conftest import request_for
from tests.support.farm_process import gone, wait_until
from tests.support.files import no_more_files
from tests.support.images import RED, opened
from tests.support.site import SITES, Site


@pytest.fixture
def proxy() -> Iterator[Egress]:
    """A proxy for this test's own user."""
    running = Egress(Policy(allow=Names.parse([SITES])), None, 64, 1_000_000)
    running.start()
    yield running
    running.close()


def get(port: Port, url: str) -> requests.Response:
    return requests.get(url, proxies={"http": port.url}, timeout=30)


def accepts(port: Port) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", int(port.url.rpartition(":")[2]))) == 0


def test_a_port_leads_to_what_is_allowed_and_tells_what_is_not(proxy: Egress, site: Site) -> None:
    port = proxy.open()
    assert get(port, site.url).status_code == 200
    assert port.notes == []
    with pytest.raises(requests.ConnectionError):
        get(port, "http://10.0.0.1/")
    (refusal,) = port.refusals
    assert refusal.host == "10.0.0.1"
    assert refusal.reason == "its address is not public"


def test_each_port_tells_of_its_own_render_only(proxy: Egress) -> None:
    first, second = proxy.open(), proxy.open()
    with pytest.raises(requests.ConnectionError):
        get(first, "http://10.0.0.1/")
    assert second.notes == []
    assert len(first.notes) == 1


def verdict(port: Port, host: str, host_port: int = 80) -> Refusal | None:
    port.check(host, host_port)
    wait_until(lambda: host in port.verdicts)
    return port.verdicts[host]


def test_a_port_tells_what_the_policy_says_of_a_host(proxy: Egress) -> None:
    """Nobody listens there: nothing is asked of it."""
    port = proxy.open()
    assert verdict(port, "127.0.0.1", 1024) is None
    assert verdict(port, "localhost", 8080) is None
    assert verdict(port, "nowhere.invalid") is None
    assert verdict(port, "10.0.0.1") == Refusal("10.0.0.1", "its address is not public")
    refusal = verdict(port, "a.invalid", 22)
    assert refusal is not None
    assert "port" in refusal.reason
    assert port.notes == []
    assert not port.was_used


def test_a_name_is_refused_for_its_address() -> None:
    closed = Egress(Policy(), None, 64, 1_000_000)
    closed.start()
    refusal = verdict(closed.open(), "localhost")
    closed.close()
    assert refusal == Refusal("localhost", "its address is not public")


def test_a_verdict_on_a_host_belongs_to_one_render(proxy: Egress) -> None:
    port = proxy.open()
    assert verdict(port, "10.0.0.1") is not None
    port.renew()
    assert port.verdicts == {}
    assert verdict(port, "10.0.0.1") is not None


def test_a_closed_port_is_gone(proxy: Egress) -> None:
    port = proxy.open()
    wait_until(lambda: accepts(port))
    port.close()
    wait_until(lambda: not accepts(port))


def test_a_port_reports_its_use_before_the_browser_has_an_answer(proxy: Egress, site: Site) -> None:
    port = proxy.open()
    assert not port.was_used
    assert get(port, site.url).status_code == 200
    assert port.was_used
    refused = proxy.open()
    with pytest.raises(requests.ConnectionError):
        get(refused, "http://10.0.0.1/")
    assert refused.was_used


def test_a_renewed_port_has_nothing_of_the_last_render(proxy: Egress, site: Site) -> None:
    """Neither its connections, which a browser keeps, nor its notes, bytes or turns."""
    port = proxy.open()
    with requests.Session() as browser, socket.socket() as tunnel:
        browser.proxies = {"http": port.url}
        assert browser.get(site.url, timeout=30).status_code == 200
        with pytest.raises(requests.ConnectionError):
            browser.get("http://10.0.0.1/", timeout=30)
        tunnel.settimeout(30)
        tunnel.connect(("127.0.0.1", int(port.url.rpartition(":")[2])))
        host = site.url.removeprefix("http://")
        tunnel.sendall(f"CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert tunnel.recv(1000).startswith(b"HTTP/1.1 200")
        port.renew()
        with suppress(ConnectionError):
            assert tunnel.recv(1000) == b"", "it is broken off"
        assert port.refusals == []
        assert not port.was_used
    assert get(port, site.url).status_code == 200, "it is the same port"
    assert port.was_used
    assert port.refusals == []


def test_each_render_of_a_port_may_have_all_the_bytes(proxy: Egress, site: Site) -> None:
    site.pages = {"/large": "x" * 600_000}
    port = proxy.open()
    for _ in range(3):
        assert len(get(port, f"{site.url}/large").content) == 600_000
        port.renew()
    assert len(get(port, f"{site.url}/large").content) == 600_000
    with pytest.raises(requests.RequestException):
        get(port, f"{site.url}/large")
    assert port.refusals[-1].reason == "the page has transferred as many bytes as it may"


def test_late_notes_are_not_counted_for_the_next_render(proxy: Egress) -> None:
    port = proxy.open()
    with pytest.raises(requests.ConnectionError):
        get(port, "http://10.0.0.1/")
    port.renew()  # before the farm has heard of it
    assert port.notes == []
    with pytest.raises(requests.ConnectionError):
        get(port, "http://10.0.0.2/")
    assert [note.host for note in port.notes] == ["10.0.0.2"]


def test_a_proxy_that_dies_takes_its_ports_along_and_is_started_again(
    proxy: Egress, site: Site
) -> None:
    port, pid = proxy.open(), proxy.pid
    assert get(port, site.url).status_code == 200
    psutil.Process(pid).kill()
    wait_until(lambda: not port.alive)
    wait_until(lambda: proxy.pid not in (None, pid))
    assert get(proxy.open(), site.url).status_code == 200
    assert not port.alive


def test_a_port_is_dead_for_a_caller_that_saw_its_connection_break(
    proxy: Egress, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before its end of the control socket is seen to be closed."""
    port = proxy.open()
    monkeypatch.setattr(proxy._process, "process_messages", lambda: None)
    with socket.create_connection(("127.0.0.1", int(port.url.rpartition(":")[2]))) as browser:
        host = site.url.removeprefix("http://")
        browser.sendall(f"CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert browser.recv(1000).startswith(b"HTTP/1.1 200")
        psutil.Process(proxy.pid).kill()
        with suppress(ConnectionError):
            assert browser.recv(1000) == b""
        assert not port.alive


def test_nobody_else_can_have_a_port_that_a_browser_still_uses(proxy: Egress) -> None:
    port = proxy.open()
    psutil.Process(proxy.pid).kill()
    wait_until(lambda: not port.alive)
    with pytest.raises(OSError, match="in use"):
        socket.create_server(("127.0.0.1", int(port.url.rpartition(":")[2])))
    port.close()
    wait_until(lambda: not accepts(port))


def test_a_proxy_that_hangs_is_killed_and_started_again(proxy: Egress) -> None:
    proxy.silence_s = 1.5
    port, pid = proxy.open(), proxy.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: proxy.pid not in (None, pid))
    assert not port.alive


@pytest.mark.dedicated
def test_a_proxy_that_dies_at_each_start_is_not_up(proxy: Egress) -> None:
    deaths: list[float] = []
    returns: list[float] = []
    wait_until(lambda: proxy.is_up)
    proxy._on_death = lambda: deaths.append(time.monotonic())
    proxy._on_return = lambda: returns.append(time.monotonic())
    rules = proxy._first_message
    proxy._first_message = None  # type: ignore[assignment]  # it cannot start with that
    assert proxy.pid is not None
    psutil.Process(proxy.pid).kill()
    wait_until(lambda: len(deaths) >= 4)
    assert proxy.down_s >= deaths[-1] - deaths[0]
    assert returns == []
    proxy._first_message = rules
    wait_until(lambda: returns)
    assert proxy.is_up
    assert proxy.down_s == 0


def test_a_closed_proxy_leaves_no_process_and_opens_no_port() -> None:
    running = Egress(Policy(), None, 64, 1_000_000)
    running.start()
    process = psutil.Process(running.pid)
    running.close()
    assert not process.is_running()
    with pytest.raises(BrowserUnavailable):
        running.open()


def test_it_does_not_outlive_the_farm() -> None:
    """Its end of the control socket is closed by whatever ends the farm."""
    running = Egress(Policy(), None, 64, 1_000_000)
    running.start()
    process = psutil.Process(running.pid)
    assert running._process is not None
    running._process._control.shutdown(socket.SHUT_RDWR)
    wait_until(lambda: gone([process]))
    running.close()


def test_the_process_that_looks_names_up_does_not_outlive_it(proxy: Egress, site: Site) -> None:
    host = site.url.replace("127.0.0.1", "localhost")
    assert get(proxy.open(), host).status_code == 200
    (resolver,) = psutil.Process(proxy.pid).children()
    psutil.Process(proxy.pid).kill()
    wait_until(lambda: gone([resolver]))


def test_it_may_open_as_many_files_as_the_machine_allows(proxy: Egress) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    pid = proxy.pid
    assert pid is not None
    wait_until(lambda: resource.prlimit(pid, resource.RLIMIT_NOFILE) == (hard, hard))


def test_without_a_descriptor_left_it_ends_and_is_started_again(proxy: Egress, site: Site) -> None:
    port, pid = proxy.open(), proxy.pid
    assert pid is not None
    assert get(port, site.url).status_code == 200
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (0, hard))
    proxy.open()
    wait_until(lambda: not port.alive)
    wait_until(lambda: proxy.pid not in (None, pid))
    assert get(proxy.open(), site.url).status_code == 200


def test_a_farm_without_a_descriptor_left_keeps_its_proxy(proxy: Egress, site: Site) -> None:
    pid = proxy.pid
    with no_more_files(), pytest.raises(BrowserUnavailable, match="no port"):
        proxy.open()
    assert get(proxy.open(), site.url).status_code == 200
    assert proxy.pid == pid


def test_while_it_cannot_be_started_each_pause_is_longer(
    proxy: Egress, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(egress, "_LONG_LIFE_S", 0.0)  # as if the one that dies had run for long

    def pauses(logs: Sequence[Mapping[str, Any]]) -> list[float]:
        """Without what the shared engine logs meanwhile."""
        return [line["again_in_s"] for line in logs if "again_in_s" in line]

    pid = proxy.pid
    assert pid is not None
    with structlog.testing.capture_logs() as logs, no_more_files():
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: len(pauses(logs)) >= 4)
    assert pauses(logs)[:4] == [proxy.first_pause_s * 2**tries for tries in range(4)]
    wait_until(lambda: proxy.pid is not None)
    assert get(proxy.open(), site.url).status_code == 200


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_it_runs_as_the_browsers_user_and_answers_no_other(site: Site) -> None:
    running = Egress(Policy(allow=Names.parse([SITES])), "nobody", 64, 1_000_000)
    running.start()
    port = running.open()
    with pytest.raises(requests.ConnectionError):
        get(port, site.url)
    assert psutil.Process(running.pid).uids().saved != 0
    assert site.requests == []
    own = running.open_own()
    assert get(own, site.url).status_code == 200
    os.seteuid(pwd.getpwnam("nobody").pw_uid)  # as the browser
    try:
        other = socket.create_connection(("127.0.0.1", int(own.url.rpartition(":")[2])), 30)
    finally:
        os.seteuid(0)
    with other:
        other.sendall(f"GET {site.url}/ HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        with suppress(ConnectionResetError):
            assert other.recv(1) == b""
    assert len(site.requests) == 1
    running.close()


def test_a_render_whose_proxy_dies_is_rendered_again(
    make_engine: Callable[..., Engine], site: Site
) -> None:
    engine = make_engine()
    rendering = engine.begin(request_for(engine, url=site.url + "/with-slow-image"))
    wait_until(lambda: ("/slow.svg", "") in site.requests)
    psutil.Process(engine.egress_pid).kill()
    wait_until(lambda: engine.status.retries == 1)
    site.hold.set()
    assert opened(engine.wait(rendering).data).getpixel((20, 20)) == RED


def test_without_a_proxy_renders_wait_and_the_engine_is_not_healthy(
    make_engine: Callable[..., Engine],
) -> None:
    engine = make_engine(render_deadline_s=1)
    engine._egress.first_pause_s = 30
    engine.check()
    psutil.Process(engine.egress_pid).kill()
    wait_until(lambda: engine.egress_pid is None)
    with pytest.raises(BrowserUnavailable, match="proxy"):
        engine.render(request_for(engine, "no network needed, but none is better than a hole"))
    wait_until(lambda: "proxy" in complaint(engine))


def test_a_hanging_proxy_is_named_as_the_cause_of_a_late_render(
    make_engine: Callable[..., Engine], site: Site
) -> None:
    engine = make_engine(render_deadline_s=6)
    rendering = engine.begin(request_for(engine, url=site.url + "/with-slow-image"))
    wait_until(lambda: ("/slow.svg", "") in site.requests)
    proxy = psutil.Process(engine.egress_pid)
    proxy.suspend()
    with pytest.raises(BrowserUnavailable, match="proxy"):
        engine.wait(rendering)
    assert "proxy" in complaint(engine)
    proxy.kill()


def complaint(engine: Engine) -> str:
    """What its health check says; empty where it is healthy."""
    try:
        engine.check()
    except BrowserUnavailable as exc:
        return str(exc)
    return ""


def test_a_url_that_is_refused_at_any_hop_is_an_error(engine: Engine, site: Site) -> None:
    there = "http://10.0.0.1/"
    for hops in range(4):
        with pytest.raises(UrlRefused, match=r"10\.0\.0\.1"):
            engine.render(request_for(engine, url=there))
        assert len(site.requests) == sum(range(hops + 1))
        there = f"{site.url}/redirect?to={there}"


@pytest.mark.parametrize("way", ["location.href = '{}'", "location.replace('{}')"])
def test_a_page_that_goes_where_it_may_not_is_an_error(engine: Engine, way: str) -> None:
    refused = f"<script>{way.format('http://10.0.0.1/')}</script>"
    with pytest.raises(UrlRefused, match=r"10\.0\.0\.1"):
        engine.render(request_for(engine, refused, waitFor=200))
    absent = f"<script>{way.format('http://127.0.0.1:1025/')}</script>"
    with pytest.raises(NavigationFailed, match="refused the connection"):
        engine.render(request_for(engine, absent, waitFor=200))


def test_refused_requests_are_missing_from_the_picture_and_reported(engine: Engine) -> None:
    html = (
        "<img src='http://10.0.0.1/a'><img src='http://10.0.0.1/b'><img src='https://[fe80::1]/'>"
    )
    result = engine.render(request_for(engine, html))
    assert len(result.refusals) == 3
    assert {entry["host"] for entry in result.blocked} == {"10.0.0.1", "fe80::1"}
    assert len(result.blocked) == 2


def test_at_most_twenty_refusals_are_reported(engine: Engine) -> None:
    html = "".join(f"<img src='http://10.0.0.{n}/'>" for n in range(30))
    result = engine.render(request_for(engine, html))
    assert len(result.blocked) == 20
    assert len(result.refusals) == 30


def test_no_port_is_left_open_after_a_render(
    make_engine: Callable[..., Engine],
) -> None:
    engine = make_engine(spare_contexts=2, render_deadline_s=1)
    proxy = psutil.Process(engine.egress_pid)

    def is_clean() -> bool:
        listening = [c for c in proxy.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
        return engine.status.spares == len(listening) == 2

    for html in ["fine", "<script>while (true);</script>", "<img src=http://10.0.0.1/>"]:
        with suppress(FarmError):
            engine.render(request_for(engine, html))
        wait_until(is_clean)
    psutil.Process(engine.chromium_pid).kill()
    wait_until(lambda: engine.status.browser_restarts == 1 and is_clean())
