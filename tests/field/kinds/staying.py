"""Pages that stay: their navigations lead to no page, or only change the address."""

from tests.field.case import Case, both, by_url, done, done_with, waiting_for
from tests.field.outcome import either, shows


def _stays(name: str, url: str) -> list[Case]:
    link = f"<a id=a href='{url}'>x</a><script>onload = () => a.click()</script>"
    return [
        *both(f"to-{name}", done_with(f"location = '{url}'")),
        *both(f"to-{name}-on-load", done_with(f"onload = () => location = '{url}'")),
        *both(f"to-{name}-by-link", done(link)),
    ]


CASES = [
    *_stays("mail-address", "mailto:a@example.com"),
    *_stays("phone-number", "tel:+123"),
    *_stays("app", "intent://x#Intent;scheme=x;end"),
    *_stays("unknown-scheme", "x-unknown:y"),
    *_stays("nothing", "$site/nothing"),
    *_stays("download", "$site/download"),
    *_stays("hash", "#there"),
    *both("hash-and-hashchange", waiting_for("onhashchange = green; location.hash = 'there'")),
    by_url("push-state", waiting_for("history.pushState(1, '', '/elsewhere'); green()")),
    by_url(
        "push-state-100-times",
        waiting_for("for (let n = 0; n < 100; n++) history.pushState(n, '', '?' + n); green()"),
    ),
    by_url(
        "push-state-then-fetch",
        waiting_for(
            "onload = () => { history.pushState(1, '', '/elsewhere');"
            "fetch('$site/json?s=0.4').then(green) }"
        ),
    ),
    by_url(
        "back",
        waiting_for("history.pushState(1, '', '/elsewhere'); onpopstate = green; history.back()"),
    ),
    *both(
        "back-to-nowhere",
        done_with("history.back(); history.go(-3)"),
        either(shows("lime"), shows("white")),
        note="there was an empty page before",
    ),
]
