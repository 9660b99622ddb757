"""What a plain render costs: all its DevTools commands. Options not asked for add none."""

from collections.abc import Iterator
from typing import Any

import pytest

from farm.render import Engine
from farm.render.browser.contexts import FreshContexts
from farm.render.browser.pipe import Switch
from farm.settings import Settings
from tests.conftest import request_for
from tests.support.farm_process import wait_until
from tests.support.site import SITES, Site


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the farm sends from now on; the name of a function of the farm's beside its call."""
    sent: list[str] = []
    send = Switch.send

    def record(switch: Switch, method: str, params: dict[str, Any], *rest: Any, **more: Any) -> int:
        arguments = params.get("arguments")
        sent.append(f"{method} {arguments[0]['value']}" if arguments else method)
        return send(switch, method, params, *rest, **more)

    monkeypatch.setattr(Switch, "send", record)
    return sent


@pytest.fixture(scope="module")
def with_spare() -> Iterator[Engine]:
    engine = Engine(Settings(egress_allow=SITES, spare_contexts=1))
    engine.start()
    engine.wait_started()
    yield engine
    engine.close()


@pytest.fixture
def engine_with_a_spare(with_spare: Engine, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """Whose spare is used by the next render, and not made up for."""
    with_spare.render(request_for(with_spare, "x"))
    wait_until(lambda: with_spare.status.spares == 1 and with_spare.status.rendering == 0)
    monkeypatch.setattr(FreshContexts, "refill", lambda _: None)
    return with_spare


def rendered(engine: Engine, commands: list[str], **request: Any) -> list[str]:
    commands.clear()
    engine.render(request_for(engine, **request))
    wait_until(lambda: engine.status.rendering == 0)
    return list(commands)


CAPTURE = ["Page.captureScreenshot", "Target.disposeBrowserContext"]


def test_a_plain_render_is_written_and_captured(
    engine_with_a_spare: Engine, commands: list[str]
) -> None:
    sent = rendered(engine_with_a_spare, commands, html="<title>Hi</title><h1>Hi</h1>")
    assert sent == ["Runtime.callFunctionOn write", *CAPTURE]


def test_a_pdf_needs_the_height_of_the_page_first(
    engine_with_a_spare: Engine, commands: list[str]
) -> None:
    sent = rendered(engine_with_a_spare, commands, html="<h1>Hi</h1>", format="pdf")
    assert sent == [
        "Runtime.callFunctionOn write",
        "Page.getLayoutMetrics",
        "Page.printToPDF",
        "Target.disposeBrowserContext",
    ]


def test_another_viewport_is_three_more(engine_with_a_spare: Engine, commands: list[str]) -> None:
    sent = rendered(engine_with_a_spare, commands, html="<h1>Hi</h1>", width=300, height=200)
    assert sent == [
        "Browser.getWindowForTarget",
        "Browser.setWindowBounds",
        "Emulation.setDeviceMetricsOverride",
        "Runtime.callFunctionOn write",
        *CAPTURE,
    ]


def test_a_url_is_gone_to_and_settled(
    engine_with_a_spare: Engine, commands: list[str], site: Site
) -> None:
    sent = rendered(engine_with_a_spare, commands, url=site.url + "/")
    assert sent == [
        "Page.navigate",
        "Page.createIsolatedWorld",
        "Runtime.callFunctionOn settle",
        "Browser.getVersion",
        *CAPTURE,
    ]


@pytest.mark.parametrize("options", [{"waitFor": 0}, {"format": "png"}, {"width": 1280}])
def test_what_equals_the_default_costs_nothing(
    engine_with_a_spare: Engine, commands: list[str], options: dict[str, Any]
) -> None:
    sent = rendered(engine_with_a_spare, commands, html="<h1>Hi</h1>", **options)
    assert sent == ["Runtime.callFunctionOn write", *CAPTURE]
