"""Pages that behave badly, each in its own way, and how a render of it may end."""

from tests.chaos.bad import Bad, codes
from tests.chaos.hostile import HOSTILE

#: A page that may be done, may be too slow, and may have to be ended.
_ANY = codes("ok", "render_timeout", "page_crashes", "output_too_large")

_CANVASES = """<script>
const kept = [];
for (let i = 0; i < 200; i++) {
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = 4096;
  canvas.getContext('2d').fillRect(0, 0, 4096, 4096);
  kept.push(canvas);
}
</script>"""

CORPUS = (
    Bad("loop while loading", "<script>while (true);</script>"),
    Bad("loop in load", "<script>onload = () => { while (true); }</script>"),
    Bad("loop in a timer", "<script>setInterval(() => { while (true); }, 5)</script>"),
    Bad(
        "loop in an animation frame",
        "<script>const spin = () => { while (true); }; requestAnimationFrame(spin)</script>",
        codes=codes("render_timeout", "ok"),
    ),
    Bad(
        "loop in a worker",
        "<script>new Worker(URL.createObjectURL(new Blob(['while (true);'])))</script>",
        codes=codes("ok", "render_timeout"),
    ),
    Bad("alerts without an end", "<script>for (;;) alert(1)</script>"),
    Bad(
        "leaving is asked about",
        "<script>onbeforeunload = () => 'stay'; location.reload(); while (true);</script>",
    ),
    Bad(
        "reloads without an end",
        "<script>onload = () => { document.open(); document.write(document.URL); }</script>",
        codes=_ANY,
    ),
    Bad("printing hangs", "<script>onbeforeprint = () => { while (true); }</script>", format="pdf"),
    Bad(
        "many elements",
        "<script>for (let i = 0; i < 300000; i++) document.write('<p>' + i)</script>",
        codes=_ANY,
        format="pdf",
    ),
    Bad(
        "memory in arrays",
        "<script>const kept = []; for (;;) kept.push(new Array(1e6).fill(Math.random()))</script>",
        codes=_ANY,
    ),
    Bad(
        "memory in buffers",
        "<script>kept = []; for (;;) kept.push(new Uint8Array(2e7).fill(1))</script>",
        codes=_ANY,
    ),
    Bad("canvases", _CANVASES, codes=_ANY),
    Bad(
        "popups",
        "<script>for (let i = 0; i < 500; i++) open('about:blank', '_blank')</script>",
        codes=codes("ok"),
    ),
    Bad(
        "downloads",
        "<script>for (let i = 0; i < 50; i++) { const a = document.createElement('a');"
        "a.href = 'data:application/octet-stream,x'; a.download = 'x'; a.click() }</script>",
        codes=codes("ok"),
    ),
    Bad("stops loading in a loop", "<script>onload = () => { for (;;) stop(); }</script>"),
    Bad("redirects without an end", path="/redirect-for-ever", codes=codes("navigation_failed")),
    Bad("answer without an end", path="/endless"),
    Bad(
        "image without an end",
        path="/with-endless-image",
        codes=codes("ok", "render_timeout"),
    ),
    Bad("no answer", path="/slow"),
    Bad("hangs up", path="/hang-up", codes=codes("navigation_failed")),
    Bad("is a download", path="/download", codes=codes("navigation_failed")),
    *HOSTILE,
)
