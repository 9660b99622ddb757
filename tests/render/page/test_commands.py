"""What a plain render costs: all its DevTools commands. Options not asked for add none."""

from collections.abc import Iterator
from typing import Any

import greenlet
import pytest

from farm.render import Engine
from farm.render.browser.pipe import Switch
from farm.render.page import render as page_render
from farm.request import RenderResult
from farm.settings import Settings
from tests.conftest import request_for
from tests.support.farm_process import wait_until
from tests.support.site import SITES, Site


class Commands:
    """What is sent, by the greenlet that sends it: each render has one, and others ping."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._sent: list[tuple[greenlet.greenlet, str]] = []
        self._render: greenlet.greenlet | None = None
        send, render = Switch.send, page_render.render

        def record(switch: Switch, method: str, params: Any, *rest: Any, **more: Any) -> int:
            arguments = params.get("arguments")
            name = f"{method} {arguments[0]['value']}" if arguments else method
            self._sent.append((greenlet.getcurrent(), name))
            return send(switch, method, params, *rest, **more)

        def note_render(*arguments: Any) -> RenderResult:
            self._render = greenlet.getcurrent()
            return render(*arguments)

        monkeypatch.setattr(Switch, "send", record)
        monkeypatch.setattr(page_render, "render", note_render)

    def of_render(self, engine: Engine, **request: Any) -> list[str]:
        """Of one render, in order; a call of the farm's functions with the name of the function."""
        self._sent.clear()
        engine.render(request_for(engine, **request))
        wait_until(lambda: engine.status.rendering == 0)
        return [name for sender, name in self._sent if sender is self._render]


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> Commands:
    return Commands(monkeypatch)


@pytest.fixture(scope="module")
def with_spare() -> Iterator[Engine]:
    engine = Engine(Settings(egress_allow=SITES, spare_contexts=1))
    engine.start()
    engine.wait_started()
    yield engine
    engine.close()


@pytest.fixture
def engine_with_a_spare(with_spare: Engine) -> Engine:
    wait_until(lambda: with_spare.status.spares == 1 and with_spare.status.rendering == 0)
    return with_spare


CAPTURE = ["Page.captureScreenshot", "Target.disposeBrowserContext"]


def test_a_plain_render_is_written_and_captured(
    engine_with_a_spare: Engine, commands: Commands
) -> None:
    sent = commands.of_render(engine_with_a_spare, html="<title>Hi</title><h1>Hi</h1>")
    assert sent == ["Runtime.callFunctionOn write", *CAPTURE]


def test_a_pdf_needs_the_height_of_the_page_first(
    engine_with_a_spare: Engine, commands: Commands
) -> None:
    sent = commands.of_render(engine_with_a_spare, html="<h1>Hi</h1>", format="pdf")
    assert sent == [
        "Runtime.callFunctionOn write",
        "Page.getLayoutMetrics",
        "Page.printToPDF",
        "Target.disposeBrowserContext",
    ]


def test_another_viewport_takes_three_more_commands(
    engine_with_a_spare: Engine, commands: Commands
) -> None:
    sent = commands.of_render(engine_with_a_spare, html="<h1>Hi</h1>", width=300, height=200)
    assert sent == [
        "Browser.getWindowForTarget",
        "Browser.setWindowBounds",
        "Emulation.setDeviceMetricsOverride",
        "Runtime.callFunctionOn write",
        *CAPTURE,
    ]


def test_a_url_is_navigated_to_and_settled(
    engine_with_a_spare: Engine, commands: Commands, site: Site
) -> None:
    sent = commands.of_render(engine_with_a_spare, url=site.url + "/")
    assert sent == [
        "Page.navigate",
        "Page.createIsolatedWorld",
        "Runtime.callFunctionOn settle",
        "Browser.getVersion",
        *CAPTURE,
    ]


@pytest.mark.parametrize("options", [{"waitFor": 0}, {"format": "png"}, {"width": 1280}])
def test_what_equals_the_default_costs_nothing(
    engine_with_a_spare: Engine, commands: Commands, options: dict[str, Any]
) -> None:
    sent = commands.of_render(engine_with_a_spare, html="<h1>Hi</h1>", **options)
    assert sent == ["Runtime.callFunctionOn write", *CAPTURE]
