"""Pages that go elsewhere, by every means."""

from tests.field.case import (
    BOX,
    HELPERS,
    Case,
    as_html,
    at,
    both,
    by_url,
    doc,
    image,
    printed,
    waiting,
    waiting_for,
)
from tests.field.outcome import Fails, either, shows

_FAILS = Fails("navigation_failed")
_LIME = shows("lime")
_GOLD = shows("gold")
_ARRIVED = "<!doctype html><body style='margin:0;background:lime'>arrived"
_FAST = doc(_ARRIVED)
_SLOW = doc(_ARRIVED, delay_s=0.5)
_WITH_IMAGE = doc(_ARRIVED + f'<img src="{image()}" style="{BOX}">')
_OTHER = doc(_ARRIVED, "$other", 0.3)
#: The first page, where a picture of it is right too.
_BEFORE = "<!doctype html><body style='margin:0;background:gold'>"
_BEFORE_OR_AFTER = either(_LIME, _GOLD)
_RELOADED = "performance.getEntriesByType('navigation')[0].type === 'reload'"


def _may_go(code: str) -> str:
    return f"{_BEFORE}<script>{HELPERS}{code}</script>"


def _later(delay_ms: int) -> list[Case]:
    """A reload, and a move to another site, this long after `load`."""
    go = f"location = '{doc(_ARRIVED, '$other')}'"
    again = f"if ({_RELOADED}) green(); else "
    return [
        *both(
            f"other-site-{delay_ms}-ms-after-load",
            _may_go(f"onload = () => setTimeout(() => {go}, {delay_ms})"),
            _BEFORE_OR_AFTER,
        ),
        by_url(
            f"reload-{delay_ms}-ms-after-load",
            _may_go(f"{again} onload = () => setTimeout(() => location.reload(), {delay_ms})"),
            _BEFORE_OR_AFTER,
        ),
    ]


AT_ONCE = [
    *[
        case
        for speed, target in {"fast": _FAST, "slow": _SLOW, "other-site": _OTHER}.items()
        for case in [
            *both(f"location-{speed}", waiting_for(f"location = '{target}'")),
            *both(f"replace-{speed}", waiting_for(f"location.replace('{target}')")),
            *both(
                f"location-on-load-{speed}", waiting_for(f"onload = () => location = '{target}'")
            ),
            *both(
                f"replace-after-load-{speed}",
                waiting_for(f"onload = () => setTimeout(() => location.replace('{target}'))"),
            ),
            *both(
                f"link-{speed}", waiting(f"<a id=a href='{target}'>x</a><script>a.click()</script>")
            ),
            *both(
                f"link-on-load-{speed}",
                waiting(f"<a id=a href='{target}'>x</a><script>onload = () => a.click()</script>"),
            ),
            *both(
                f"form-{speed}",
                waiting(
                    f"<form id=f method=post action='{target}'></form><script>f.submit()</script>"
                ),
            ),
            *both(
                f"meta-0-{speed}",
                waiting(f'<meta http-equiv=refresh content="0;url={target}">'),
            ),
        ]
    ],
    *both(
        "location-by-fetch",
        waiting_for(f"fetch('$site/json?s=0.3').then(() => location = '{_SLOW}')"),
    ),
    *both(
        "location-twice",
        waiting_for("location = '" + doc(waiting_for(f"location = '{_SLOW}'"), delay_s=0.2) + "'"),
    ),
    *both(
        "location-then-fetch",
        waiting_for(
            "location = '" + doc(waiting_for("fetch('$site/json?s=0.4').then(green)")) + "'"
        ),
    ),
    *both("location-then-image", waiting_for(f"location = '{_WITH_IMAGE}'"), shows("lime", "gold")),
    *both(
        "location-while-image-loads",
        waiting(f"<img src='{image(delay_s=1)}'><script>location = '{_SLOW}'</script>"),
    ),
    *both(
        "location-with-beforeunload",
        waiting_for(
            f"onbeforeunload = (e) => {{ e.preventDefault(); return 'stay' }}; location = '{_SLOW}'"
        ),
    ),
    *both("location-of-a-script", waiting_for("location = 'javascript:void(green())'")),
    by_url("refresh-header-0", waiting("x"), _LIME, f"Refresh: 0;url={_SLOW}"),
    by_url("refresh-header-1", _BEFORE, _BEFORE_OR_AFTER, f"Refresh: 1;url={_SLOW}"),
    *both(
        "meta-1", _BEFORE + f'<meta http-equiv=refresh content="1;url={_FAST}">', _BEFORE_OR_AFTER
    ),
    at("redirect", "$site/redirect?s=0.2&to=$site/page/no-doctype"),
    at("redirect-to-other-site", "$site/redirect?to=$other/redirect?to=$third/page/no-doctype"),
]

LATER = [
    *both(
        "location-after-50-ms",
        _may_go(f"setTimeout(() => location = '{_FAST}', 50)"),
        _BEFORE_OR_AFTER,
    ),
    *[case for delay in (0, 5, 20, 50, 80, 117) for case in _later(delay)],
    by_url(
        "reload-by-service-worker",
        _may_go(
            "if (!navigator.serviceWorker.controller) navigator.serviceWorker.register('/worker')"
            ".then(() => navigator.serviceWorker.ready).then(() => location.reload())"
        ),
        _BEFORE_OR_AFTER,
        note="the worker answers the reload",
    ),
    by_url(
        "reload-while-parsing",
        _may_go(f"if ({_RELOADED}) green(); else location.reload()"),
        _LIME,
    ),
    *both(
        "location-never",
        _may_go("location = '$site/hold'"),
        _GOLD,
        note="the page before it is there",
    ),
    *both("location-never-on-load", _may_go("onload = () => location = '$site/hold'"), _GOLD),
    *both(
        "location-half",
        _may_go(f"location = '{doc(_ARRIVED, route='half_doc')}'"),
        either(_GOLD, _LIME, Fails("render_timeout")),
    ),
    *both("location-refused-by-host", _may_go("location = '$dead/'"), _FAILS),
    *both(
        "location-refused-by-policy", _may_go("location = 'http://10.0.0.1/'"), Fails("url_refused")
    ),
    *both("location-blank", _may_go("location = 'about:blank'"), either(_GOLD, shows("white"))),
    *both(
        "location-own-data",
        _may_go("location = 'data:text/html,x'"),
        _GOLD,
        note="browsers refuse it",
    ),
    *both(
        "location-own-blob",
        _may_go(
            "const blob = new Blob(['<body bgcolor=lime>'], { type: 'text/html' });"
            "location = URL.createObjectURL(blob)"
        ),
        _BEFORE_OR_AFTER,
    ),
]

CASES = [
    *AT_ONCE,
    *LATER,
    printed(by_url("location-slow", waiting_for(f"location = '{_SLOW}'"))),
    printed(
        as_html(
            "replace-after-load-slow",
            waiting_for(f"onload = () => setTimeout(() => location.replace('{_SLOW}'))"),
        )
    ),
    printed(
        by_url(
            "location-after-50-ms",
            _may_go(f"setTimeout(() => location = '{_FAST}', 50)"),
            _BEFORE_OR_AFTER,
        )
    ),
]
