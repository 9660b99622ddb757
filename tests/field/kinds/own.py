"""What HTML that is sent has of its own, and what it has not."""

from tests.field.case import Case, as_html, both, by_url, waiting_for


def _has(name: str, code: str) -> Case:
    """The code returns whether it has what it needs, or throws."""
    return as_html(name, waiting_for(f"(async () => {{ {code} }})().then((ok) => ok && green())"))


def _throws(name: str, code: str) -> Case:
    script = f"try {{ {code} }} catch (e) {{ if (e.name === 'SecurityError') green() }}"
    return as_html(f"no-{name}", waiting_for(script))


CASES = [
    # It has no address yet, and so no origin: docs/api.md says so.
    _throws("local-storage", "localStorage"),
    _throws("session-storage", "sessionStorage"),
    _throws("cookie", "document.cookie"),
    _throws("replace-state", "history.replaceState(1, '', '?x=1')"),
    _throws("push-state", "history.pushState(1, '', '?x=1')"),
    _throws("indexed-db", "indexedDB.open('x')"),
    _has("own-frame", "return add('iframe', {}).contentDocument.body !== null"),
    *both(
        "own-urls",
        waiting_for(
            "const blob = URL.createObjectURL(new Blob(['42']));"
            "Promise.all(['data:,42', blob].map((url) => fetch(url).then((r) => r.text())))"
            ".then((texts) => texts.every((text) => text === '42') && green())"
        ),
    ),
    *both(
        "own-worker",
        waiting_for(
            "new Worker(URL.createObjectURL(new Blob(['postMessage(1)']))).onmessage = green;"
            "fetch('$site/json?s=0.3')"
        ),
    ),
    by_url(
        "storage-of-a-url",
        waiting_for("if (localStorage.length === 0) { localStorage.x = 1; green() }"),
    ),
]
