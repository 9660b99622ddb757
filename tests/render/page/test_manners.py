"""What a page may try, and what comes of it: nothing, at once."""

import pytest

from farm.errors import NavigationFailed
from farm.render import Engine
from tests.conftest import request_for
from tests.support.images import LIME, is_filled, opened
from tests.support.site import Site

#: Green once the script that follows has said so.
TRY = "<body style='margin:0'><script>const green = () => document.body.style.background = 'lime';"


def color(engine: Engine, script: str, **options: object) -> object:
    data = engine.render(request_for(engine, TRY + script + "</script>", **options)).data
    return opened(data).getpixel((600, 600))


def test_popups_are_not_opened(engine: Engine, site: Site) -> None:
    script = f"if (window.open('{site.url}/red.svg') === null) green()"
    assert color(engine, script, waitFor=200) == LIME
    link = f"const a = document.createElement('a'); a.target = '_blank'; a.href = '{site.url}/'"
    assert color(engine, f"{link}; a.click(); green()", waitFor=200) == LIME
    assert site.requests == []


def test_a_thousand_popups_hold_nothing_up(engine: Engine) -> None:
    assert (
        color(engine, "for (let n = 0; n < 1000; n++) window.open('about:blank'); green()") == LIME
    )
    assert color(engine, "green()") == LIME


def test_downloads_are_refused(engine: Engine, site: Site) -> None:
    link = "const a = document.createElement('a'); a.download = 'x'; a.href = 'data:text/csv,1'"
    assert color(engine, f"{link}; a.click(); green()", waitFor=200) == LIME
    with pytest.raises(NavigationFailed, match="download"):
        engine.render(request_for(engine, url=site.url + "/download"))


def test_dialogs_are_dismissed(engine: Engine) -> None:
    script = "alert(1); if (!confirm(2) && prompt(3) === null) { print(); green() }"
    assert color(engine, script) == LIME


def test_beforeunload_prompts_are_accepted(engine: Engine) -> None:
    script = (
        "addEventListener('beforeunload', (e) => { e.preventDefault(); return 'stay' }); green()"
    )
    assert color(engine, script) == LIME
    assert engine.status.rendering <= 1


@pytest.mark.parametrize(
    "attempt",
    [
        "navigator.geolocation.getCurrentPosition(() => 0, green)",
        "Notification.requestPermission().then((answer) => answer !== 'granted' && green())",
        "navigator.permissions.query({name: 'camera'}).then(p => p.state === 'granted' || green())",
        "(navigator.clipboard?.readText() ?? Promise.reject()).catch(green)",
        "(navigator.mediaDevices?.getUserMedia({audio: true}) ?? Promise.reject()).catch(green)",
        "(navigator.mediaDevices?.getDisplayMedia() ?? Promise.reject()).catch(green)",
        "(navigator.requestMIDIAccess?.({sysex: true}) ?? Promise.reject()).catch(green)",
        "(navigator.usb?.requestDevice({filters: []}) ?? Promise.reject()).catch(green)",
        "(window.showOpenFilePicker?.() ?? Promise.reject()).catch(green)",
        "document.documentElement.requestFullscreen().catch(green)",
        "(document.body.requestPointerLock() ?? Promise.reject()).catch(green)",
    ],
)
def test_what_needs_a_permission_is_denied_and_does_not_pend(engine: Engine, attempt: str) -> None:
    assert color(engine, attempt, waitFor=200) == LIME


def test_file_choosers_are_ignored(engine: Engine) -> None:
    script = "const i = document.createElement('input'); i.type = 'file'; i.click(); green()"
    assert color(engine, script) == LIME


@pytest.mark.one_in(3)
@pytest.mark.parametrize("size", [{}, {"width": 800, "height": 600}])
@pytest.mark.parametrize(
    "when",
    [
        "resizeTo(500, 400)",
        "onload = () => resizeTo(500, 400)",
        "setTimeout(() => resizeTo(500, 400), 50)",
        "resizeBy(300, 300)",
        "setTimeout(() => setInterval(() => resizeBy(-1, -1), 1), 20)",
    ],
)
def test_a_script_cannot_change_the_pictures_size(
    engine: Engine, size: dict[str, int], when: str
) -> None:
    result = engine.render(request_for(engine, f"{TRY}green(); {when}</script>", **size))
    assert opened(result.data).size == (result.width, result.height)
    result = engine.render(
        request_for(engine, f"{TRY}green(); {when}</script>", waitFor=100, **size)
    )
    assert is_filled(result.data, LIME)
    assert opened(result.data).size == (result.width, result.height)
