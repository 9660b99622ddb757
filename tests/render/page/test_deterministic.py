"""Deterministic renders: the same bytes each time, of pages with clocks, chance and animations."""

from collections.abc import Callable, Iterator

import pytest

from farm.errors import InvalidRequest, OutputTooLarge
from farm.render import Engine
from tests.conftest import request_for
from tests.support.images import LIME, is_filled
from tests.support.site import Site, running_site

MakeEngine = Callable[..., Engine]

FRAME = """<!doctype html><script>
  document.write([Math.random(), Date.now(), performance.now()].join(' '));
  setInterval(() => document.body.append(' ' + performance.now()), 300);
</script>"""
#: What a page can show that is different each time.
RESTLESS = """<!doctype html>
<style>
  @keyframes move { to { transform: translateX(300px) } }
  div { width: 20px; height: 20px; background: blue }
  .endless { animation: move 3s infinite }
  .ends { animation: move 3s forwards }
  .moves { transition: width 1s }
</style>
<div class=endless></div><div class=ends></div><div class=moves></div>
<input autofocus value=cursor><pre></pre><canvas width=500 height=100></canvas>
<svg width=100 height=30><rect width=20 height=20>
<animate attributeName=x from=0 to=80 dur=7s repeatCount=indefinite /></rect></svg>
<iframe src='FRAME' width=600 height=60></iframe>
<script>
  const shown = document.querySelector('pre');
  const show = (...values) => shown.append(values.join(' ') + '\\n');
  show(Date.now(), performance.now(), performance.timeOrigin, Math.random());
  show(new Date(), Date(), crypto.getRandomValues(new Uint32Array(3)));
  show(crypto.randomUUID?.call(crypto) ?? 'not here');
  let ticks = 0, frames = 0;
  setInterval(() => { if (++ticks % 10 == 0) show(ticks, Date.now(), Math.random()) }, 50);
  setTimeout(() => show('later', performance.now()), 1234);
  setTimeout(() => { document.querySelector('.moves').style.width = '200px' }, 500);
  const context = document.querySelector('canvas').getContext('2d');
  const draw = (now) => {
    context.fillRect(now / 4, Math.random() * 90, 3, 3);
    if (++frames % 20 == 0) show(frames, now, performance.now());
    requestAnimationFrame(draw);
  };
  requestAnimationFrame(draw);
  onload = () => show('loaded', Date.now());
</script>"""


@pytest.fixture
def other() -> Iterator[Site]:
    with running_site("127.0.0.2", {"/frame": FRAME}) as running:
        yield running


def test_a_restless_page_has_the_same_bytes_each_time(
    engine: Engine, site: Site, other: Site
) -> None:
    site.pages = {"/restless": RESTLESS.replace("FRAME", f"{other.url}/frame")}
    options = {"deterministic": True, "height": 700}
    request = request_for(engine, url=f"{site.url}/restless", **options)
    assert len({engine.render(request).data for _ in range(10)}) == 1
    plain = request_for(engine, url=f"{site.url}/restless", height=700)
    assert engine.render(plain).data != engine.render(request).data


def test_html_that_is_sent_has_the_same_bytes_each_time(engine: Engine) -> None:
    html = RESTLESS.replace("FRAME", "about:blank").replace("crypto.randomUUID", "undefined")
    request = request_for(engine, html, deterministic=True)
    assert len({engine.render(request).data for _ in range(10)}) == 1


def shown(expression: str) -> str:
    """A page that is green once the expression has been true."""
    return (
        "<!doctype html><body><script>setInterval(() => { if ("
        f"{expression}) document.body.style.background = 'lime' }}, 100)</script>"
    )


@pytest.mark.parametrize(
    "expression",
    [
        "performance.now() == 2000 && Date.now() == 1735689602000",
        "new Date().toISOString() == '2025-01-01T00:00:01.000Z'",
        "new Date(0).getTime() == 0 && new Date instanceof Date && Date() == new Date().toString()",
    ],
)
def test_the_clock_goes_from_the_epoch_to_the_capture(engine: Engine, expression: str) -> None:
    request = request_for(engine, shown(expression), deterministic=True)
    assert is_filled(engine.render(request).data, LIME)


def test_the_clock_begins_where_the_setting_says_and_goes_on_for_wait_for(
    make_engine: MakeEngine,
) -> None:
    engine = make_engine(deterministic_epoch=86_400)
    html = shown("performance.now() == 2_100 && Date.now() == 86_402_100")
    for wait_ms, is_seen in (0, False), (100, True):
        request = request_for(engine, html, deterministic=True, waitFor=wait_ms)
        assert is_filled(engine.render(request).data, LIME) == is_seen


def test_a_request_that_does_not_end_stops_the_clock_and_not_the_render(
    make_engine: MakeEngine, site: Site
) -> None:
    impatient = make_engine(settle_max_s=1)
    html = f"<body><img src='{site.url}/slow.svg'>"
    result = impatient.render(request_for(impatient, html, deterministic=True))
    assert "its clock" in result.unfinished


def test_a_worker_has_the_same_randomness_and_clock(engine: Engine) -> None:
    html = """<!doctype html><body><script>
      const first = Math.random();
      const worker = new Worker(URL.createObjectURL(new Blob([
        'postMessage(Math.random() + " " + (Date.now() - Date.UTC(2025, 0, 1) < 2000))'])));
      worker.onmessage = ({ data }) => {
        if (data == first + ' true') document.body.style.background = 'lime';
      };
    </script>"""
    assert is_filled(engine.render(request_for(engine, html, deterministic=True)).data, LIME)


def test_the_clock_of_the_next_render_is_the_real_one(kept_engine: Engine) -> None:
    def render(html: str, **options: object) -> bytes:
        request = request_for(kept_engine, html, **options)
        return kept_engine.wait(kept_engine.begin(request, caller="deterministic")).data

    render("x", deterministic=True)
    html = shown("Date.now() > Date.UTC(2026, 0, 2)")
    assert is_filled(render(html, waitFor=300), LIME)


@pytest.mark.parametrize(
    "options",
    [{"scroll": "through"}, {"scroll": {"to": 500}}, {"fullPage": True}, {"format": "pdf"}],
    ids=str,
)
def test_nothing_waits_for_a_frame_while_the_clock_stands(
    engine: Engine, options: dict[str, object]
) -> None:
    html = "<!doctype html><body style='margin:0;height:3000px;background:lime'>"
    request = request_for(engine, html, deterministic=True, **options)
    assert engine.render(request).data


def test_a_picture_that_would_have_several_parts_is_refused(engine: Engine) -> None:
    html = "<!doctype html><body style='height:17000px'>"
    with pytest.raises(OutputTooLarge, match="deterministic"):
        engine.render(request_for(engine, html, deterministic=True, fullPage=True))


def test_mhtml_has_a_date_and_is_refused(engine: Engine) -> None:
    with pytest.raises(InvalidRequest, match="date"):
        request_for(engine, "x", deterministic=True, format="mhtml")
