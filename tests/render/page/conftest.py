"""A fixture: what the farm sends to the browser."""

from typing import Any

import pytest

from farm.render.browser.pipe import Switch


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """All DevTools commands from now on, with their parameters, in order."""
    commands: list[tuple[str, Any]] = []
    send = Switch.send

    def noted(switch: Switch, method: str, params: Any, *rest: Any, **more: Any) -> int:
        commands.append((method, params))
        return send(switch, method, params, *rest, **more)

    monkeypatch.setattr(Switch, "send", noted)
    return commands
