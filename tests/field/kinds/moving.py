"""Pages that go elsewhere, by every means, and pages that only say that they do."""

from tests.field.case import (
    BOX,
    Case,
    as_html,
    at,
    both,
    by_url,
    doc,
    done,
    frame,
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
#: A page that is right too while the next has not come.
_BEFORE = "<!doctype html><body style='margin:0;background:gold'>"
_BEFORE_OR_AFTER = either(_LIME, _GOLD)
#: Without an end: a page of it, or an error that says so.
_A_PAGE_OF_IT = either(_GOLD, _LIME, _FAILS)
_RELOADED = "performance.getEntriesByType('navigation')[0].type === 'reload'"


def _goes(script: str) -> str:
    return waiting(f"<script>{script}</script>")


def _may_go(script: str) -> str:
    return f"{_BEFORE}<script>{script}</script>"


def _stays(name: str, url: str) -> list[Case]:
    """A page that wants to go where no page comes from stays as it is."""
    return [
        *both(f"to-{name}", done(f"<p>text</p><script>location = '{url}'</script>")),
        *both(f"to-{name}-on-load", done(f"<script>onload = () => location = '{url}'</script>")),
        *both(
            f"to-{name}-by-link",
            done(f"<a id=a href='{url}'>x</a><script>onload = () => a.click()</script>"),
        ),
    ]


AT_ONCE = [
    *[
        case
        for speed, target in {"fast": _FAST, "slow": _SLOW, "other-site": _OTHER}.items()
        for case in [
            *both(f"location-{speed}", _goes(f"location = '{target}'")),
            *both(f"replace-{speed}", _goes(f"location.replace('{target}')")),
            *both(f"location-on-load-{speed}", _goes(f"onload = () => location = '{target}'")),
            *both(
                f"replace-after-load-{speed}",
                _goes(f"onload = () => setTimeout(() => location.replace('{target}'))"),
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
        "location-by-fetch", _goes(f"fetch('$site/json?s=0.3').then(() => location = '{_SLOW}')")
    ),
    *both(
        "location-twice",
        _goes("location = '" + doc(_goes(f"location = '{_SLOW}'"), delay_s=0.2) + "'"),
    ),
    *both(
        "location-then-fetch",
        _goes("location = '" + doc(waiting_for("fetch('$site/json?s=0.4').then(green)")) + "'"),
    ),
    *both("location-then-image", _goes(f"location = '{_WITH_IMAGE}'"), shows("lime", "gold")),
    *both(
        "location-while-image-loads",
        waiting(f"<img src='{image(delay_s=1)}'><script>location = '{_SLOW}'</script>"),
    ),
    *both(
        "location-with-beforeunload",
        _goes(
            f"onbeforeunload = (e) => {{ e.preventDefault(); return 'stay' }}; location = '{_SLOW}'"
        ),
    ),
    *both("location-of-a-script", waiting_for("location = 'javascript:void(green())'")),
    by_url("refresh-header-0", waiting("x"), _LIME, f"Refresh: 0;url={_SLOW}"),
    by_url("refresh-header-1", _BEFORE, _BEFORE_OR_AFTER, f"Refresh: 1;url={_SLOW}"),
    *both(
        "meta-1", _BEFORE + f'<meta http-equiv=refresh content="1;url={_FAST}">', _BEFORE_OR_AFTER
    ),
    at("redirect", "$site/redirect?s=0.2&to=$site/page/fetch"),
    at("redirect-to-other-site", "$site/redirect?to=$other/redirect?to=$third/page/fetch"),
]

LATER = [
    *both(
        "location-after-50-ms",
        _may_go(f"setTimeout(() => location = '{_FAST}', 50)"),
        _BEFORE_OR_AFTER,
    ),
    *[
        case
        for delay in (0, 5, 20, 50, 80, 117)
        for case in [
            *both(
                f"other-site-{delay}-ms-after-load",
                _may_go(
                    f"onload = () => setTimeout(() => location = '{doc(_ARRIVED, '$other')}', {delay})"
                ),
                _BEFORE_OR_AFTER,
            ),
            by_url(
                f"reload-{delay}-ms-after-load",
                _may_go(
                    f"if ({_RELOADED}) document.body.style.background = 'lime';"
                    f"else onload = () => setTimeout(() => location.reload(), {delay})"
                ),
                _BEFORE_OR_AFTER,
            ),
        ]
    ],
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
        "reload-html-again",
        _may_go(
            f"if ({_RELOADED}) document.body.style.background = 'lime'; else location.reload()"
        ),
        _LIME,
        note="while parsing",
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
            "location = URL.createObjectURL(new Blob([`<body style='background:lime'>`], "
            "{ type: 'text/html' }))"
        ),
        _BEFORE_OR_AFTER,
    ),
]

WITHOUT_END = [
    by_url("loop-reload", _may_go("setTimeout(() => location.reload(), 30)"), _A_PAGE_OF_IT),
    by_url("loop-reload-on-load", _may_go("onload = () => location.reload()"), _A_PAGE_OF_IT),
    by_url(
        "loop-reload-while-parsing",
        _may_go("location.reload()"),
        either(_A_PAGE_OF_IT, Fails("render_timeout")),
        note="`load` never fires",
    ),
    by_url("loop-meta", _BEFORE + "<meta http-equiv=refresh content=0>", _A_PAGE_OF_IT),
    by_url("loop-meta-1", _BEFORE + "<meta http-equiv=refresh content=1>", _GOLD),
    by_url(
        "loop-sites",
        _may_go(
            "onload = () => location = (location.origin === '$site' ? '$other' : '$site')"
            " + '/page/loop-sites'"
        ),
        _A_PAGE_OF_IT,
    ),
    by_url(
        "loop-location-200-ms",
        _may_go("setTimeout(() => location.href += 'x'.repeat(0), 200)"),
        _A_PAGE_OF_IT,
    ),
    by_url(
        "loop-slow",
        _may_go("onload = () => location = '$site/page/loop-slow?s=0.3'"),
        _A_PAGE_OF_IT,
    ),
    *both(
        "loop-frame",
        done(frame(doc(_may_go("setTimeout(() => location.reload(), 50)")))),
        shows("lime", "gold"),
    ),
    *both(
        "loop-frame-of-other-site",
        done(frame(doc(_may_go("setTimeout(() => location.reload(), 50)"), "$other"))),
        shows("lime", "gold"),
    ),
    *both("loop-frame-at-once", done(frame(doc(_may_go("location.reload()")))), _LIME),
    *both(
        "loop-frame-by-meta",
        done(frame(doc(_BEFORE + "<meta http-equiv=refresh content=0>"))),
        _LIME,
    ),
    *both(
        "loop-hash", done("<script>let n = 0; setInterval(() => location.hash = n++, 10)</script>")
    ),
    by_url(
        "loop-push-state",
        done(
            "<script>let n = 0; setInterval(() => history.pushState(n, '', '?' + n++), 50)</script>"
        ),
    ),
    by_url(
        "loop-replace-state",
        done(
            "<script>let n = 0; setInterval(() => history.replaceState(n, '', '?' + n++), 50)</script>"
        ),
    ),
]

STAYING = [
    *_stays("mail-address", "mailto:a@example.com"),
    *_stays("phone-number", "tel:+123"),
    *_stays("app", "intent://x#Intent;scheme=x;end"),
    *_stays("unknown-scheme", "x-unknown:y"),
    *_stays("nothing", "$site/nothing"),
    *_stays("download", "$site/download"),
    *_stays("hash", "#there"),
    by_url("push-state", waiting_for("history.pushState(1, '', '/elsewhere'); green()")),
    by_url(
        "push-state-100-times",
        waiting_for("for (let n = 0; n < 100; n++) history.pushState(n, '', '?' + n); green()"),
    ),
    by_url(
        "push-state-then-fetch",
        waiting_for(
            "onload = () => { history.pushState(1, '', '/elsewhere'); fetch('$site/json?s=0.4').then(green) }"
        ),
    ),
    by_url(
        "back",
        waiting_for("history.pushState(1, '', '/elsewhere'); onpopstate = green; history.back()"),
    ),
    *both("back-to-nowhere", done("<script>history.back(); history.go(-3)</script>")),
    *both("hash-and-hashchange", waiting_for("onhashchange = green; location.hash = 'there'")),
]

CASES = [
    *AT_ONCE,
    *LATER,
    *WITHOUT_END,
    *STAYING,
    printed(by_url("location-slow", _goes(f"location = '{_SLOW}'"))),
    printed(
        as_html(
            "replace-after-load-slow",
            _goes(f"onload = () => setTimeout(() => location.replace('{_SLOW}'))"),
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
