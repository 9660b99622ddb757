"""Pages that ask for more by script, and show it once it has come."""

from tests.field.case import (
    BOX,
    as_html,
    both,
    by_url,
    done,
    done_with,
    image,
    printed,
    script,
    waiting,
    waiting_for,
    worker,
)
from tests.field.outcome import shows

_FETCH = "fetch('$site/json?s=0.4').then((r) => r.json()).then((j) => j.v === 42 && green())"
_JSON = "fetch('$site/json?s=0.2')"
_GOLD = shows("lime", "gold")
_IMAGE = f"add('img', {{ style: '{BOX}', src: '{image()}' }})"
_ADDS_NEXT = script("add('script', next)", 0.2)
_BUSY = "for (const end = performance.now() + 500; performance.now() < end; );"
_IS_42 = "then((m) => m.default === 42 && green())"

SCRIPTS = [
    *both("fetch", waiting_for(_FETCH)),
    *both(
        "fetch-chain",
        waiting_for(f"(async () => {{ for (let n = 0; n < 3; n++) await {_JSON}; green() }})()"),
    ),
    *both("fetch-on-load", waiting_for(f"onload = () => {_FETCH}")),
    *both(
        "fetch-on-load-next-frame",
        waiting_for(f"onload = () => requestAnimationFrame(() => {_FETCH})"),
    ),
    by_url(
        "fetch-30-ms-after-load",
        waiting_for(f"onload = () => setTimeout(() => {_FETCH}, 30)"),
        note="a URL is quiet only after 100 ms",
    ),
    *both(
        "fetch-30-at-once",
        waiting_for(
            "const urls = [...Array(30).keys()].map((n) => '$site/json?s=0.2&n=' + n);"
            "Promise.all(urls.map((url) => fetch(url))).then(green)"
        ),
    ),
    *both(
        "fetch-late-body",
        waiting_for("fetch('$site/late_body').then((r) => r.json()).then(green)"),
    ),
    *both(
        "fetch-refused",
        waiting_for(f"fetch('$dead/').catch(() => {_JSON}).then(green)"),
    ),
    *both(
        "fetch-redirected",
        waiting_for("fetch('$site/redirect?s=0.2&to=/json?s%3D0.2').then((r) => r.ok && green())"),
    ),
    *both(
        "fetch-preflighted",
        waiting_for("fetch('$other/json?s=0.3', { headers: { 'X-Own': '1' } }).then(green)"),
    ),
    *both(
        "xhr",
        waiting_for(
            "const x = new XMLHttpRequest(); x.onload = green;"
            "x.open('GET', '$site/json?s=0.4'); x.send()"
        ),
    ),
    *both(
        "module-graph",
        waiting(
            "<script type=module>import value from '$site/module?n=0';"
            "if (value === 42) document.body.style.background = 'lime'</script>"
        ),
    ),
    *both(
        "module-awaits",
        waiting(
            f"<script type=module>await {_JSON};document.body.style.background = 'lime'</script>"
        ),
    ),
    *both("import", waiting_for(f"import('$site/module?n=0').{_IS_42}")),
    *both("import-on-load", waiting_for(f"onload = () => import('$site/module?n=0').{_IS_42}")),
    *both(
        "script-adds-scripts",
        waiting_for(
            f"const next = {{ src: '{script('green()', 0.2)}' }};"
            f"onload = () => add('script', {{ src: '{_ADDS_NEXT}' }})"
        ),
    ),
    *both("worker-fetches", worker("fetch('$site/json?s=0.4').then(() => postMessage(1))")),
    *both(
        "worker-by-data-url",
        waiting_for(
            "const code = `fetch('$site/json?s=0.2').then(() => postMessage(1))`;"
            "new Worker('data:text/javascript,' + encodeURIComponent(code)).onmessage = green"
        ),
    ),
    *both(
        "worker-computes-and-fetches",
        worker(f"{_BUSY}; fetch('$site/json?s=0.2').then(() => postMessage(1))"),
    ),
    *both(
        "worker-fetches-and-computes",
        worker(f"fetch('$site/json?s=0.2').then(() => {{ {_BUSY}; postMessage(1) }})"),
    ),
    *both("worker-computes-when-told", worker(f"onmessage = () => {{ {_BUSY}; postMessage(1) }}")),
    *both(
        "worker-has-worker",
        worker(
            "const code = `fetch('$site/json?s=0.2').then(() => postMessage(1))`;"
            "new Worker(URL.createObjectURL(new Blob([code]))).onmessage = () => postMessage(1)"
        ),
    ),
    *both("worker-imports", worker("import('$site/module?n=0').then(() => postMessage(1))")),
    by_url(
        "module-worker-imports",
        worker("import value from '$site/module?n=0'; postMessage(value)", "module"),
        note="a page without an origin may have no such worker",
    ),
]

IMAGES = [
    *both("image-on-load", done_with(f"onload = () => {_IMAGE}"), _GOLD),
    *both("image-after-fetch", done_with(f"{_JSON}.then(() => {_IMAGE})"), _GOLD),
    *both(
        "image-by-blob",
        done_with(
            f"fetch('{image()}').then((r) => r.blob()).then((blob) => "
            f"add('img', {{ style: '{BOX}', src: URL.createObjectURL(blob) }}))"
        ),
        _GOLD,
    ),
    *both(
        "image-by-canvas",
        done_with(
            f"const a = add('canvas', {{ style: '{BOX}', width: 200, height: 200 }});"
            f"fetch('{image()}').then((r) => r.blob()).then(createImageBitmap)"
            ".then((bitmap) => a.getContext('2d').drawImage(bitmap, 0, 0, 200, 200))"
        ),
        _GOLD,
    ),
    *both(
        "image-in-svg",
        done(
            f'<svg id=a width=200 height=200 style="{BOX}"></svg><script>onload = () => '
            f"a.innerHTML = '<image width=200 height=200 href=\"{image()}\" />'</script>"
        ),
        _GOLD,
    ),
    *both(
        "image-of-a-video",
        done_with(
            f"const a = add('video', {{ style: '{BOX};object-fit:fill' }});"
            f"onload = () => a.poster = '{image()}'"
        ),
        _GOLD,
    ),
    *both(
        "image-by-picture",
        done_with(
            "onload = () => document.body.insertAdjacentHTML('beforeend', "
            f"`<picture><source srcset='{image()} 1x'><img style='{BOX}'></picture>`)"
        ),
        _GOLD,
    ),
    *both(
        "image-that-is-missing",
        done(f"<img src=$site/missing.png style='{BOX};background:gold'><img src=$dead/x.png>"),
        _GOLD,
    ),
]

CASES = [
    *SCRIPTS,
    *IMAGES,
    printed(by_url("fetch", waiting_for(_FETCH))),
    printed(as_html("fetch", waiting_for(_FETCH))),
    printed(by_url("image-on-load", done_with(f"onload = () => {_IMAGE}"), _GOLD)),
]
