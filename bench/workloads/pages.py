"""What is rendered: each piece of work, and the check of what comes back.

The farm, its peers, the limit and the bare Playwright loop all render exactly these, as PNG.
"""

import struct
from dataclasses import dataclass
from typing import Any

#: Viewport, and so the size of every image, in pixels.
SIZE = (1280, 720)

#: About 1 KB, as in the published comparisons of such services.
SIMPLE_HTML = (
    "<!doctype html><body style='font-family: sans-serif; background: #f4f6fb'><h1>Hello</h1>"
    + "<p>Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod.</p>" * 11
)

_CURVES = "".join(
    f'<path d="M0 {160 - n} C 60 {40 + n * 3 % 90}, 140 {150 - n * 5 % 120}, 300 {n * 7 % 110}"'
    f' fill="none" stroke="url(#g)" stroke-width="{1 + n % 3}" opacity="{0.2 + n % 8 / 10:.1f}"/>'
    for n in range(60)
)
_ROWS = ",\n".join(
    f'["Region {n:03}, northern department of sales and services, first floor", '
    f'"C-{n * 7919 % 10007:05}", {n * 104729 % 99991}, {n * 15485863 % 9973 / 100 - 50:.2f}, '
    f"{n * 32452843 % 7919}]"
    for n in range(500)
)
#: About 60 KB: a table of 500 rows that a script builds, an inline SVG, and gradients.
COMPLEX_HTML = f"""<!doctype html><meta charset=utf-8><title>Quarterly report</title><style>
body {{ margin: 0; font: 14px/1.4 sans-serif;
  background: linear-gradient(160deg, #eef2ff, #fdf2f8) }}
header {{ padding: 24px 32px; color: white;
  background: linear-gradient(90deg, #4338ca, #be185d) }}
main {{ display: grid; grid-template-columns: 2fr 1fr; gap: 24px; padding: 24px 32px }}
table {{ border-collapse: collapse; width: 100%; background: white; box-shadow: 0 8px 24px #0002 }}
td, th {{ padding: 3px 10px; border-bottom: 1px solid #e5e7eb; text-align: right }}
td:first-child {{ text-align: left; font-weight: 600 }}
tr:nth-child(even) {{ background: #f8fafc }} .up {{ color: #15803d }} .down {{ color: #b91c1c }}
aside {{ padding: 16px; border-radius: 12px; color: white; box-shadow: 0 8px 24px #0003;
  background: radial-gradient(circle at 30% 20%, #818cf8, #312e81) }}
</style><header><h1>Quarterly report</h1></header><main><table id=table></table><aside>
<svg viewBox="0 0 300 160" width=100%><defs><linearGradient id=g x1=0 y1=0 x2=0 y2=1>
<stop offset=0 stop-color=#fde68a /><stop offset=1 stop-color=#f59e0b stop-opacity=.2 />
</linearGradient></defs>{_CURVES}</svg></aside></main><script>
const rows = [{_ROWS}];
const table = document.getElementById('table');
table.innerHTML = '<tr><th>Region<th>Code<th>Revenue<th>Change<th>Orders';
let total = 0;
for (const [region, code, revenue, change, orders] of rows) {{
  const row = table.insertRow();
  for (const value of [region, code, revenue.toLocaleString('en'), change + ' %', orders])
    row.insertCell().textContent = value;
  row.cells[3].className = change < 0 ? 'down' : 'up';
  total += revenue;
}}
document.querySelector('h1').textContent += ': ' + total.toLocaleString('en');
</script>"""


@dataclass(frozen=True)
class Workload:
    """`html`, or else a `path` of the test site (`site`). An empty picture is a smaller file."""

    name: str
    html: str = ""
    path: str = ""
    min_bytes: int = 0

    def body(self, site_url: str) -> dict[str, Any]:
        """What is posted."""
        return {"url": site_url + self.path} if self.path else {"html": self.html}

    @property
    def route(self) -> str:
        return "/render-url" if self.path else "/render"

    def problem(self, png: bytes) -> str:
        """What is wrong with the answer; empty if nothing is. The pixels are the tests' business.

        A first look at every answer: a PNG, of the right size, whole, and with something on it.
        """
        if png[:8] != b"\x89PNG\r\n\x1a\n" or png[-8:-4] != b"IEND":
            return f"not a whole PNG: {png[:60]!r}"
        if (size := struct.unpack(">II", png[16:24])) != SIZE:
            return f"a PNG of {size[0]} × {size[1]}"
        return "" if len(png) >= self.min_bytes else f"a PNG of {len(png)} bytes: is it empty?"


SIMPLE = Workload("simple HTML", html=SIMPLE_HTML, min_bytes=20_000)
COMPLEX = Workload("complex HTML", html=COMPLEX_HTML, min_bytes=60_000)
SLOW_URL = Workload("slow URL", path="/page", min_bytes=10_000)
MOVED_URL = Workload("moved URL", path="/moved", min_bytes=10_000)
LONG_URL = Workload("two-second URL", path="/two-seconds", min_bytes=5_000)

WORKLOADS = {each.name: each for each in (SIMPLE, COMPLEX, SLOW_URL, MOVED_URL, LONG_URL)}
