"""The kernels of public reports about services of this kind, under the names that they have."""

from tests.field.case import BOX, Case, both, by_url, doc, done, image, raw, waiting
from tests.field.outcome import Fails, either, shows

_GOLD = shows("lime", "gold")
_LOADED = "document.body.style.background = 'lime'"

#: Playwright tells a page's process these families for the generic ones (on Linux).
_FAMILIES = {"monospace": "Monospace", "serif": "Times New Roman", "sans-serif": "Arial"}
_TEXT = ".a { width: 5px; } 0O1lI mmm"


def _generic(generic: str, family: str) -> list[Case]:
    html = waiting(
        f"<span id=a style='font-family:{generic}'>{_TEXT}</span><br>"
        f"<span id=b style='font-family:{family};font-size:0'>{_TEXT}</span><script>"
        "b.style.fontSize = getComputedStyle(a).fontSize;"
        f"if (a.offsetWidth === b.offsetWidth && a.offsetHeight === b.offsetHeight) {_LOADED}</script>"
    )
    return both(f"generic-{generic}", html)


CASES = [
    *both(
        "spa",
        waiting(
            f"<script>fetch('$site/json?s=1').then((r) => r.json()).then((j) => {{ {_LOADED} }})</script>"
        ),
    ),
    *both(
        "spa-chain",
        waiting(
            f"<script>(async () => {{ for (let i = 0; i < 3; i++) await fetch('$site/json?s=.4'); {_LOADED} }})()</script>"
        ),
    ),
    *both(
        "late-frame",
        done(
            "<script>onload = () => { const f = document.createElement('iframe');"
            f"f.style.cssText = '{BOX}'; f.src = '{doc('<body style=background:gold>', '$site', 1.5)}';"
            "document.body.append(f) }</script>"
        ),
        _GOLD,
    ),
    *both(
        "late-image",
        done(
            "<script>onload = () => setTimeout(() => { const i = new Image();"
            f"i.style.cssText = '{BOX}'; i.src = '{image(delay_s=0.5)}'; document.body.append(i) }})</script>"
        ),
        _GOLD,
    ),
    *both(
        "stream", done("<script>new EventSource('$site/events'); fetch('$site/json?s=60')</script>")
    ),
    *both(
        "go-50",
        done(
            f"<script>setTimeout(() => location = '{doc('<body style=background:gold>')}', 50)</script>"
        ),
        either(shows("lime"), shows("gold")),
    ),
    by_url(
        "go-loop",
        done("<script>setTimeout(() => location.reload(), 30)</script>"),
        either(shows("lime"), Fails("navigation_failed")),
    ),
    *[case for generic, family in _FAMILIES.items() for case in _generic(generic, family)],
]
