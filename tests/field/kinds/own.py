"""HTML that is sent needs an origin of its own: for storage, cookies and its address."""

from tests.field.case import Case, as_html, both, by_url, waiting_for


def _has(name: str, code: str) -> Case:
    """The code returns whether it has what it needs, or throws."""
    return as_html(name, waiting_for(f"(async () => {{ {code} }})().then((ok) => ok && green())"))


CASES = [
    _has("local-storage", "localStorage.x = '1'; return localStorage.length === 1"),
    _has("session-storage", "sessionStorage.x = '1'; return sessionStorage.length === 1"),
    _has(
        "cookie",
        "const before = document.cookie; document.cookie = 'x=1';"
        "return before === '' && document.cookie === 'x=1'",
    ),
    _has("replace-state", "history.replaceState(1, '', '?x=1'); return history.state === 1"),
    _has("push-state", "history.pushState(1, '', '?x=1'); return history.state === 1"),
    _has(
        "indexed-db",
        "return await new Promise((resolve) => { const asked = indexedDB.open('x');"
        "asked.onsuccess = () => resolve(true); asked.onerror = () => resolve(false) })",
    ),
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
