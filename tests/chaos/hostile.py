"""Small pages that have what all pages share work or hold for minutes, each by its own means.

`gpu`: the GPU process works for it, also when the page is gone. `memory`: it fills a process that
is not its own. `browser`, `page`: it has the browser's own process, or its own, work for long.
"""

from pathlib import Path

from tests.chaos.bad import Bad, codes

_PAGES = Path(__file__).with_name("pages")
#: What a hostile page may be told; some are done, on a machine that is quick enough.
_ENDED = codes("ok", "render_timeout", "page_crashes", "output_too_large")
#: Of a page that is to have time to do harm.
_WAIT_MS = 5000


def _file(name: str) -> str:
    return (_PAGES / f"{name}.html").read_text()


def _layers(count: int, css: str) -> str:
    style = f"i {{ position: absolute; inset: 0; background: #f001; {css} }}"
    return f"<!doctype html><style>{style}</style>" + "<i></i>" * count


_SVG_FILTERS = (
    "<!doctype html><svg width=1280 height=720><filter id=f>"
    "<feTurbulence baseFrequency=.9 numOctaves=50 />"
    + "<feMorphology operator=dilate radius=50 /><feGaussianBlur stdDeviation=90 />" * 40
    + "</filter>"
    + "<rect width=1280 height=720 filter='url(#f)' />" * 30
    + "</svg>"
)
_FRAMES = """<script>
for (let i = 0; i < 3000; i++) {
  document.body.append(Object.assign(document.createElement('iframe'), {srcdoc: '<p>' + i}));
}
</script>"""
_MESSAGES = """<script>
const from = new BroadcastChannel('x'), to = new BroadcastChannel('x');
to.onmessage = () => { for (let i = 0; i < 9; i++) from.postMessage('x'.repeat(99999)); };
from.postMessage(1);
</script>"""
_WORKERS = """<script>
const code = URL.createObjectURL(new Blob(['for (;;);']));
for (let i = 0; i < 600; i++) new Worker(code);
</script>"""
_HASHES = """<script>
setInterval(() => { for (let i = 0; i < 1000; i++) location.hash = Math.random(); }, 0);
</script>"""

HOSTILE = (
    Bad("gpu: webgl", _file("webgl"), codes=_ENDED),
    Bad("gpu: webgl, read back", _file("webgl-read-back"), codes=_ENDED),
    Bad("gpu: webgl in a worker", _file("webgl-in-a-worker"), codes=_ENDED),
    Bad("gpu: shaders to compile", _file("shaders"), codes=_ENDED),
    Bad(
        "gpu: transformed layers",
        _layers(6000, "will-change: transform; transform: rotate(1deg) translateZ(0)"),
        codes=_ENDED,
    ),
    Bad(
        "gpu: blurred layers",
        _layers(2000, "will-change: transform; filter: blur(200px)"),
        codes=_ENDED,
    ),
    Bad("gpu: backdrops", _layers(800, "backdrop-filter: blur(60px) saturate(2)"), codes=_ENDED),
    Bad("gpu: svg filters", _SVG_FILTERS, codes=_ENDED),
    Bad("gpu: canvases", _file("canvases"), codes=_ENDED),
    Bad("memory: textures", _file("textures"), codes=_ENDED, wait_ms=_WAIT_MS),
    Bad("memory: blobs", _file("blobs"), codes=_ENDED, wait_ms=_WAIT_MS),
    Bad("browser: frames", _FRAMES, codes=_ENDED),
    Bad("browser: messages", _MESSAGES, codes=_ENDED),
    Bad("browser: hashes", _HASHES, codes=_ENDED),
    Bad("page: workers", _WORKERS, codes=_ENDED),
    Bad("page: deep", "<div>" * 100_000, codes=_ENDED),
    Bad(
        "page: long tables, printed",
        "<style>p { break-after: page }</style>" + "<p><table><tr><td>x</table>" * 90_000,
        codes=_ENDED,
        format="pdf",
    ),
)
