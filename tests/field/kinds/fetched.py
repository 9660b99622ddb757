"""Pages that ask for more by script or by CSS, and show it once it has come."""

from tests.field.case import (
    BOX,
    as_html,
    both,
    by_url,
    done,
    image,
    printed,
    script,
    style,
    waiting,
    waiting_for,
)
from tests.field.outcome import Shows, shows

_FETCH = "fetch('$site/json?s=0.4').then((r) => r.json()).then((j) => j.v === 42 && green())"
_GOLD = shows("lime", "gold")
_BLOCK = f'<div id=a style="{BOX};color:gold;background:blue;font:200px/1 serif">X</div>'
#: Near the corners of the X, where no other font's has ink.
_ALL_GOLD = Shows({spot: "gold" for spot in ((100, 10), (10, 100), (190, 100), (100, 190))})

SCRIPTS = [
    *both("fetch", waiting_for(_FETCH)),
    *both(
        "fetch-chain",
        waiting_for(
            "(async () => { for (let n = 0; n < 3; n++) await fetch('$site/json?s=0.2'); green() })()"
        ),
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
    *both("fetch-1.5-s", waiting_for(_FETCH.replace("0.4", "1.5"))),
    *both(
        "fetch-30-at-once",
        waiting_for(
            "Promise.all([...Array(30).keys()].map((n) => fetch('$site/json?s=0.2&n=' + n)))"
            ".then(green)"
        ),
    ),
    *both(
        "fetch-late-body", waiting_for("fetch('$site/late_body').then((r) => r.json()).then(green)")
    ),
    *both(
        "fetch-refused",
        waiting_for("fetch('$dead/').catch(() => fetch('$site/json?s=0.3')).then(green)"),
    ),
    *both(
        "fetch-redirected",
        waiting_for("fetch('$site/redirect?s=0.2&to=/json?s%3D0.2').then((r) => r.ok && green())"),
    ),
    *both(
        "fetch-preflighted",
        waiting_for(
            "fetch('$other/json?s=0.3', {headers: {'X-Own': '1'}}).then((r) => r.ok && green())"
        ),
    ),
    *both(
        "xhr",
        waiting_for(
            "const x = new XMLHttpRequest(); x.open('GET', '$site/json?s=0.4'); x.onload = green; x.send()"
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
            "<script type=module>await fetch('$site/json?s=0.4');"
            "document.body.style.background = 'lime'</script>"
        ),
    ),
    *both(
        "import", waiting_for("import('$site/module?n=0').then((m) => m.default === 42 && green())")
    ),
    *both(
        "import-on-load",
        waiting_for(
            "onload = () => import('$site/module?n=0').then((m) => m.default === 42 && green())"
        ),
    ),
    *both(
        "script-adds-scripts",
        waiting_for(
            "const add = (src) => document.body.append(Object.assign(document.createElement('script'),"
            f"{{ src }})); onload = () => add('{script('add(next)', 0.2)}');"
            f"const next = '{script('green()', 0.2)}'"
        ),
    ),
    *both(
        "worker-fetches",
        waiting_for(
            "const code = `fetch('$site/json?s=0.4').then(() => postMessage(1))`;"
            "new Worker(URL.createObjectURL(new Blob([code]))).onmessage = green"
        ),
    ),
]

STYLES = [
    *both(
        "style-by-script",
        waiting(
            "<script>onload = () => document.head.append(Object.assign(document.createElement('link'),"
            f"{{ rel: 'stylesheet', href: '{style('body{background:lime!important}', 0.4)}' }}))</script>"
        ),
    ),
    *both(
        "style-by-preload",
        waiting(
            "<link rel=preload as=style onload=\"this.rel='stylesheet'\" "
            f'href="{style("body{background:lime!important}", 0.3)}">'
        ),
    ),
    *both(
        "style-by-preload-on-load",
        waiting(
            "<script>onload = () => document.head.insertAdjacentHTML('beforeend', `"
            "<link rel=preload as=style onload=\"this.rel='stylesheet'\" "
            f'href="{style("body{background:lime!important}", 0.3)}">`)</script>'
        ),
    ),
    *both(
        "style-by-media",
        waiting(
            "<link rel=stylesheet media=print onload=\"this.media='all'\" "
            f'href="{style("body{background:lime!important}", 0.4)}">'
        ),
    ),
    *both(
        "style-imports",
        waiting(
            "<script>onload = () => document.head.append(Object.assign(document.createElement('style'),"
            "{ textContent: \"@import '"
            + style(f"@import '{style('body{background:lime!important}', 0.2)}'", 0.2)
            + "'\" }))</script>"
        ),
    ),
    *both(
        "background-by-script",
        done(
            f'<div id=a style="{BOX};background-color:blue"></div><script>onload = () => '
            f"a.style.backgroundImage = 'url({image(delay_s=0.4)})'</script>"
        ),
        _GOLD,
    ),
    *both(
        "background-by-class",
        done(
            f"<style>.b {{ background-image: url({image(delay_s=0.4)}) }}</style>"
            f'<div id=a style="{BOX};background-color:blue"></div>'
            "<script>onload = () => requestAnimationFrame(() => a.className = 'b')</script>"
        ),
        _GOLD,
    ),
    *both(
        "background-of-before",
        done(
            f"<style>.b::before {{ content: ''; {BOX}; background: url({image(delay_s=0.4)}) }}</style>"
            "<div id=a></div><script>onload = () => a.className = 'b'</script>"
        ),
        _GOLD,
    ),
]

FONTS = [
    *both(
        "font-in-css",
        done(
            "<style>@font-face { font-family: Block; src: url($site/font?s=0.4) }"
            f"#a {{ font-family: Block !important }}</style>{_BLOCK}"
        ),
        _ALL_GOLD,
    ),
    *both(
        "font-by-script",
        done(
            f"{_BLOCK}<script>new FontFace('Block', 'url($site/font?s=0.4)').load().then((face) => "
            "{ document.fonts.add(face); a.style.fontFamily = 'Block' })</script>"
        ),
        _ALL_GOLD,
    ),
    *both(
        "font-by-script-on-load",
        done(
            f"{_BLOCK}<script>onload = () => {{ const face = new FontFace('Block', 'url($site/font?s=0.4)');"
            "document.fonts.add(face); a.style.fontFamily = 'Block' }</script>"
        ),
        _ALL_GOLD,
    ),
    *both(
        "font-by-class-on-load",
        done(
            "<style>@font-face { font-family: Block; src: url($site/font?s=0.4) }"
            f".b {{ font-family: Block !important }}</style>{_BLOCK}"
            "<script>onload = () => requestAnimationFrame(() => a.className = 'b')</script>"
        ),
        _ALL_GOLD,
    ),
    *both(
        "font-after-fetch",
        done(
            "<style>@font-face { font-family: Block; src: url($site/font?s=0.3) }"
            f".b {{ font-family: Block !important }}</style>{_BLOCK}"
            "<script>fetch('$site/json?s=0.3').then(() => a.className = 'b')</script>"
        ),
        _ALL_GOLD,
    ),
]

_ADD_IMAGE = (
    "const add = (src) => { const i = new Image();"
    f"i.style.cssText = '{BOX}'; i.src = src; document.body.append(i) }};"
)

IMAGES = [
    *both(
        "image-on-load",
        done(f"<script>{_ADD_IMAGE} onload = () => add('{image()}')</script>"),
        _GOLD,
    ),
    *both(
        "image-after-fetch",
        done(
            f"<script>{_ADD_IMAGE} fetch('$site/json?s=0.3').then(() => add('{image()}'))</script>"
        ),
        _GOLD,
    ),
    *both(
        "image-by-blob",
        done(
            f"<script>{_ADD_IMAGE} fetch('{image()}').then((r) => r.blob())"
            ".then((blob) => add(URL.createObjectURL(blob)))</script>"
        ),
        _GOLD,
    ),
    *both(
        "image-by-canvas",
        done(
            f'<canvas id=a width=200 height=200 style="{BOX}"></canvas><script>'
            f"fetch('{image()}').then((r) => r.blob()).then(createImageBitmap)"
            ".then((bitmap) => a.getContext('2d').drawImage(bitmap, 0, 0, 200, 200))</script>"
        ),
        _GOLD,
    ),
    *both(
        "image-in-svg",
        done(
            f'<svg id=a width=200 height=200 style="{BOX}"></svg><script>onload = () => a.innerHTML = '
            f"'<image width=200 height=200 href=\"{image()}\" />'</script>"
        ),
        _GOLD,
    ),
    *both(
        "image-of-a-video",
        done(
            f'<video id=a style="{BOX};object-fit:fill"></video>'
            f"<script>onload = () => a.poster = '{image()}'</script>"
        ),
        _GOLD,
    ),
    *both(
        "image-by-picture",
        done(
            "<script>onload = () => document.body.insertAdjacentHTML('beforeend', "
            f"`<picture><source srcset='{image()} 1x'><img style='{BOX}'></picture>`)</script>"
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
    *STYLES,
    *FONTS,
    *IMAGES,
    printed(by_url("fetch", waiting_for(_FETCH))),
    printed(as_html("fetch", waiting_for(_FETCH))),
    printed(
        by_url(
            "image-on-load",
            done(f"<script>{_ADD_IMAGE} onload = () => add('{image()}')</script>"),
            _GOLD,
        )
    ),
]
