"""The kernels of public reports about services of this kind, under the names that they have."""

from tests.field.case import BOX, Case, both, by_url, doc, done_with, image, waiting, waiting_for
from tests.field.outcome import Fails, either, shows

_GOLD = shows("lime", "gold")
_GOLD_DOC = "<body bgcolor=gold>"

#: Playwright tells a page's process these families for the generic ones (on Linux).
_FAMILIES = {"monospace": "Monospace", "serif": "Times New Roman", "sans-serif": "Arial"}
_TEXT = ".a { width: 5px; } 0O1lI mmm"


def _generic(generic: str, family: str) -> list[Case]:
    html = waiting(
        f"<span id=a style='font-family:{generic}'>{_TEXT}</span><br>"
        f"<span id=b style='font-family:{family};font-size:0'>{_TEXT}</span><script>"
        "b.style.fontSize = getComputedStyle(a).fontSize;"
        "if (a.offsetWidth === b.offsetWidth && a.offsetHeight === b.offsetHeight)"
        "document.body.style.background = 'lime'</script>"
    )
    return both(f"generic-{generic}", html)


CASES = [
    *both("spa", waiting_for("fetch('$site/json?s=1').then((r) => r.json()).then(green)")),
    *both(
        "spa-chain",
        waiting_for(
            "const ask = () => fetch('$site/json?s=0.4'); ask().then(ask).then(ask).then(green)"
        ),
    ),
    *both(
        "late-frame",
        done_with(
            f"const src = '{doc(_GOLD_DOC, '$site', 1.5)}';"
            f"onload = () => add('iframe', {{ style: '{BOX}', src }})"
        ),
        _GOLD,
    ),
    *both(
        "late-image",
        done_with(
            "onload = () => setTimeout(() => "
            f"add('img', {{ style: '{BOX}', src: '{image(delay_s=0.5)}' }}))"
        ),
        _GOLD,
    ),
    *both("stream", done_with("new EventSource('$site/events'); fetch('$site/json?s=60')")),
    *both(
        "go-50",
        done_with(f"setTimeout(() => location = '{doc(_GOLD_DOC)}', 50)"),
        either(shows("lime"), shows("gold")),
    ),
    by_url(
        "go-loop",
        done_with("setTimeout(() => location.reload(), 30)"),
        either(shows("lime"), Fails("navigation_failed")),
    ),
    *[case for generic, family in _FAMILIES.items() for case in _generic(generic, family)],
]
