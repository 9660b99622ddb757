"""Every means by which a page may try to reach something.

Of each, the HTML that tries it. `$http` is a URL of the canary, `$ws` the same for WebSockets,
`$host` its host and port, `$hop` an allowed URL that redirects to what is appended to it.
"""

#: A peer connection that looks for a way by one server.
_RTC = """<script>{ const c = new RTCPeerConnection({iceServers: [{urls: '%s:$host%s',
    username: 'u', credential: 'p'}]}); c.createDataChannel('x');
    c.createOffer().then((offer) => c.setLocalDescription(offer)) }</script>"""
_SPECULATION = """<script type=speculationrules>
    {"%s": [{"source": "list", "urls": ["$http"], "eagerness": "immediate"}]}</script>"""

VECTORS = {
    "img": "<img src='$http'>",
    "img srcset": "<img srcset='$http 1x, $http/2 2x'>",
    "picture": "<picture><source srcset='$http'><img></picture>",
    "iframe": "<iframe src='$http'></iframe>",
    "iframe srcdoc": """<iframe srcdoc="<img src='$http'>"></iframe>""",
    "iframe of data:": """<iframe src="data:text/html,<img src='$http'>"></iframe>""",
    "iframe sandboxed": """<iframe sandbox=allow-scripts srcdoc="<script>fetch('$http')</script>">
        </iframe>""",
    "script": "<script src='$http'></script>",
    "module": "<script type=module src='$http'></script>",
    "import()": "<script>import('$http').catch(() => 0)</script>",
    "import map": """<script type=module>import('$http/x.js').catch(() => 0)</script>""",
    "fetch": "<script>fetch('$http', {mode: 'no-cors'})</script>",
    "fetch keepalive": "<script>fetch('$http', {mode: 'no-cors', keepalive: true})</script>",
    "XMLHttpRequest": """<script>{ const x = new XMLHttpRequest();
        x.open('GET', '$http'); x.send() }</script>""",
    "stylesheet": "<link rel=stylesheet href='$http'>",
    "CSS @import": "<style>@import url('$http');</style>",
    "CSS url()": "<div style=\"background: url('$http')\">x</div>",
    "CSS cursor and list": """<ul style="list-style-image: url('$http')"><li>x</ul>""",
    "font": """<style>@font-face { font-family: f; src: url('$http') }</style>
        <p style='font-family: f'>x""",
    "WebSocket": "<script>new WebSocket('$ws')</script>",
    "EventSource": "<script>new EventSource('$http')</script>",
    "sendBeacon": "<script>navigator.sendBeacon('$http', 'x')</script>",
    "prefetch": "<link rel=prefetch href='$http'>",
    "preload": "<link rel=preload as=image href='$http'>",
    "modulepreload": "<link rel=modulepreload href='$http'>",
    "preconnect": "<link rel=preconnect href='$http'>",
    "dns-prefetch": "<link rel=dns-prefetch href='//$host'>",
    "speculative prefetch": _SPECULATION % "prefetch",
    "speculative prerender": _SPECULATION % "prerender",
    "STUN": _RTC % ("stun", ""),
    "TURN over UDP": _RTC % ("turn", "?transport=udp"),
    "TURN over TCP": _RTC % ("turn", "?transport=tcp"),
    "WebTransport": "<script>new WebTransport('https://$host/x').ready.catch(() => 0)</script>",
    "meta refresh": "<meta http-equiv=refresh content='0; url=$http'>",
    "location": "<script>location.href = '$http'</script>",
    "window.open": "<script>window.open('$http')</script>",
    "link with a target": """<a id=popup target=_blank href='$http'>x</a>
        <script>document.getElementById('popup').click()</script>""",
    "link ping": """<a id=pinging ping='$http' href='#x'>x</a>
        <script>document.getElementById('pinging').click()</script>""",
    "form post": """<form id=form method=post action='$http'></form>
        <script>document.getElementById('form').submit()</script>""",
    "form into a frame": """<iframe name=sink></iframe>
        <form id=sunk target=sink action='$http'></form>
        <script>document.getElementById('sunk').submit()</script>""",
    "worker": """<script>new Worker(URL.createObjectURL(new Blob(
        ["fetch('$http', {mode: 'no-cors'})"])))</script>""",
    "worker import": """<script>new Worker(URL.createObjectURL(new Blob(
        ["importScripts('$http')"])))</script>""",
    "shared worker": """<script>new SharedWorker(URL.createObjectURL(new Blob(
        ["fetch('$http', {mode: 'no-cors'})"])))</script>""",
    "service worker": """<script>
        navigator.serviceWorker?.register('/worker.js?to=$http', {scope: '/$host/'})</script>""",
    "redirect at hop 1": "<img src='$hop$http'>",
    "redirect at hop 3": "<img src='$hop$hop$hop$http'>",
    "redirect of a frame": "<iframe src='$hop$http'></iframe>",
    "redirect of a fetch": "<script>fetch('$hop$http', {mode: 'no-cors'})</script>",
    "SVG image": "<svg><image href='$http' width=9 height=9 /></svg>",
    "SVG use": "<svg><use href='$http#x' /></svg>",
    "SVG @import": "<svg><style>@import url('$http');</style></svg>",
    "SVG in an image": """<img src="data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg'>
        <image href='$http' width='9' height='9'/><style>@import url($http);</style></svg>">""",
    "SVG filter": """<svg><filter id=f><feImage href='$http' /></filter>
        <rect width=9 height=9 filter='url(#f)' /></svg>""",
    "video": "<video src='$http' preload=auto></video>",
    "audio": "<audio src='$http' preload=auto></audio>",
    "poster": "<video poster='$http'></video>",
    "track": """<video crossorigin><track default src='$http'></video><script>
        for (const t of document.querySelectorAll('track')) t.track.mode = 'showing'</script>""",
    "object": "<object data='$http'></object>",
    "embed": "<embed src='$http'>",
    "manifest": "<link rel=manifest href='$http'>",
    "favicon": "<link rel=icon href='$http'>",
    "input image": "<input type=image src='$http'>",
    "base": "<base href='$http/'><img src=x>",
    "content security report": """<meta http-equiv=content-security-policy
        content="img-src 'none'; report-uri $http"><img src=x>""",
    "canvas image": """<script>{ const i = new Image(); i.src = '$http' }</script>""",
    "CSS mask": "<div style=\"mask-image: url('$http')\">x</div>",
    "unload": "<script>addEventListener('pagehide', () => navigator.sendBeacon('$http'))</script>",
}

#: Of these a page can do only one.
NAVIGATIONS = {"meta refresh", "location", "form post", "base"}

#: What a page cannot do so even without the boundary, and why.
INERT = {
    "preconnect": "the headless shell opens no connection ahead",
    "dns-prefetch": "there is nothing to look up for an address",
    "SVG use": "only what is of the same origin is used",
    "SVG in an image": "images load nothing",
    "manifest": "nobody asks to install the page",
    "favicon": "there is no tab to show it",
    "content security report": "a policy that is not in the header sends no reports",
    "unload": "a page that is closed is not asked",
}
