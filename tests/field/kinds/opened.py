"""Documents that are written over, replaced or stopped by their own scripts."""

from tests.field.case import both, done, done_with, image, waiting_for
from tests.field.outcome import either, shows

_WRITE = "document.write('<body bgcolor=lime>')"
_FETCHING = "<body><script>fetch('$site/json?s=0.3').then(green)<\\/script>"
#: `load` does not fire before it has come.
_IMAGE = f"<img src='{image(delay_s=1)}'>"

CASES = [
    *both(
        "document-open-at-300-ms",
        waiting_for(f"setTimeout(() => {{ document.open(); {_WRITE}; document.close() }}, 300)")
        + _IMAGE,
    ),
    *both(
        "document-open-and-no-close-at-300-ms",
        waiting_for(f"setTimeout(() => {{ document.open(); {_WRITE} }}, 300)") + _IMAGE,
    ),
    *both(
        "document-open-after-load",
        waiting_for(
            "green(); onload = () => setTimeout(() => { document.open();"
            "document.write('<body bgcolor=gold>'); document.close() }, 20)"
        ),
        either(shows("lime"), shows("gold")),
    ),
    *both("document-write-on-load", waiting_for(f"onload = () => {_WRITE}"), note="never closed"),
    *both(
        "document-write-after-fetch",
        waiting_for(f"fetch('$site/json?s=0.3').then(() => {{ {_WRITE}; document.close() }})"),
    ),
    *both(
        "document-write-that-fetches",
        waiting_for(
            f"onload = () => {{ document.open(); document.write(`{_FETCHING}`); document.close() }}"
        ),
    ),
    *both(
        "document-replaced",
        waiting_for("onload = () => document.documentElement.innerHTML = '<body bgcolor=lime>'"),
    ),
    *both(
        "document-without-root",
        waiting_for("onload = () => document.documentElement.remove()"),
        either(shows("white"), shows("red")),
    ),
    *both("document-closed", done_with("document.close(); onload = () => document.close()")),
    *both("stop-while-parsing", done("<p>text</p><script>stop()</script>")),
    *both(
        "stop-while-loading",
        waiting_for("setTimeout(() => { stop(); green() }, 200)") + "<img src=$site/hold>",
    ),
    *both("stop-on-load", waiting_for("onload = () => { fetch('$site/hold'); stop(); green() }")),
]
