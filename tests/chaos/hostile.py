"""Small pages that make what all pages share work or hold for minutes, each by its own means.

`gpu`: its drawing is done by the GPU process, and goes on there when the page is gone. `memory`: it
fills a process that is not its own. `browser`: it makes the browser's own process work.
"""

from tests.chaos.bad import Bad, codes

#: What a hostile page may be told; some are done, on a machine that is quick enough.
_ENDED = codes("ok", "render_timeout", "page_crashes", "output_too_large")

_LAYERS = "<!doctype html><style>i{{position:absolute;inset:0;background:#f001;{css}}}</style>"

_WEBGL = """<!doctype html><canvas id=c width=4000 height=4000></canvas><script>
const gl = c.getContext('webgl');
const program = gl.createProgram();
const shader = (type, source) => {
  const made = gl.createShader(type);
  gl.shaderSource(made, source); gl.compileShader(made); gl.attachShader(program, made);
};
shader(gl.VERTEX_SHADER, 'attribute vec2 a; void main() { gl_Position = vec4(a, 0, 1); }');
shader(gl.FRAGMENT_SHADER, `precision highp float; void main() { float x = 0.;
  for (int i = 0; i < 1000000; i++) { x += sin(x + float(i)); } gl_FragColor = vec4(x); }`);
gl.linkProgram(program); gl.useProgram(program);
gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([-1, -1, 3, -1, -1, 3]), gl.STATIC_DRAW);
gl.enableVertexAttribArray(0); gl.vertexAttribPointer(0, 2, gl.FLOAT, false, 0, 0);
for (let i = 0; i < 100; i++) gl.drawArrays(gl.TRIANGLES, 0, 3);
%s
</script>"""

_WEBGL_IN_A_WORKER = """<!doctype html><script id=s type=x>
onmessage = () => { const c = new OffscreenCanvas(4000, 4000); %s };
</script><script>
const worker = new Worker(URL.createObjectURL(new Blob([s.textContent])));
worker.postMessage(0);
</script>""" % _WEBGL.partition("<script>")[2].partition("</script>")[0].replace("%s", "")

_READ_PIXELS = """gl.viewport(0, 0, 4000, 4000);
const pixels = new Uint8Array(4);
setInterval(() => gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, pixels), 1);"""

_COMPILES = """<!doctype html><canvas id=c></canvas><script>
const gl = c.getContext('webgl2');
for (let n = 0; n < 40; n++) {
  const program = gl.createProgram();
  const lines = Array.from({length: 3000}, (_, i) => `x = sin(x * ${i + n}.5) + cos(x);`).join('');
  for (const [type, source] of [[gl.VERTEX_SHADER, 'in vec2 a; void main() { gl_Position = vec4(a, 0, 1); }'],
      [gl.FRAGMENT_SHADER, `precision highp float; out vec4 o; void main() { float x = 1.; ${lines} o = vec4(x); }`]]) {
    const made = gl.createShader(type);
    gl.shaderSource(made, '#version 300 es\\n' + source); gl.compileShader(made); gl.attachShader(program, made);
  }
  gl.linkProgram(program); gl.useProgram(program); gl.drawArrays(gl.TRIANGLES, 0, 3);
}
</script>"""

_TEXTURES = """<!doctype html><script>
const gl = document.createElement('canvas').getContext('webgl2'); const kept = []; let n = 0;
const timer = gl && setInterval(() => {
  if (++n > 24) return clearInterval(timer);
  const t = gl.createTexture(); gl.bindTexture(gl.TEXTURE_2D, t);
  gl.texStorage2D(gl.TEXTURE_2D, 1, gl.RGBA8, 8192, 8192);
  gl.bindFramebuffer(gl.FRAMEBUFFER, gl.createFramebuffer());
  gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, t, 0);
  gl.clearColor(n / 30, .5, .5, 1); gl.clear(gl.COLOR_BUFFER_BIT); kept.push(t);
}, 150);
</script>x"""

_BLOBS = """<!doctype html><script>
const kept = []; const some = new Uint8Array(6e7).fill(1);
setInterval(() => kept.length < 60 && kept.push(new Blob([some, String(kept.length)])), 50);
</script>x"""

_SVG = "<!doctype html><svg width=1280 height=720><filter id=f>{steps}</filter>{shapes}</svg>"

_CANVASES = """<!doctype html><script>
for (let i = 0; i < 150; i++) {
  const c = document.body.appendChild(document.createElement('canvas'));
  c.width = c.height = 2048; c.style = 'position:absolute;left:0;top:0;will-change:transform';
  c.getContext('2d').fillRect(0, 0, 2048, 2048);
}
</script>"""

HOSTILE = (
    Bad("gpu: webgl", _WEBGL % "", codes=_ENDED),
    Bad("gpu: webgl, read back", _WEBGL % _READ_PIXELS, codes=_ENDED),
    Bad("gpu: webgl in a worker", _WEBGL_IN_A_WORKER, codes=_ENDED),
    Bad("gpu: shaders to compile", _COMPILES, codes=_ENDED),
    Bad(
        "gpu: transformed layers",
        _LAYERS.format(css="will-change:transform;transform:rotate(1deg) translateZ(0)")
        + "<i></i>" * 6000,
        codes=_ENDED,
    ),
    Bad(
        "gpu: blurred layers",
        _LAYERS.format(css="filter:blur(200px);will-change:transform") + "<i></i>" * 2000,
        codes=_ENDED,
    ),
    Bad(
        "gpu: backdrops",
        _LAYERS.format(css="backdrop-filter:blur(60px) saturate(2)") + "<i></i>" * 800,
        codes=_ENDED,
    ),
    Bad(
        "gpu: svg filters",
        _SVG.format(
            steps="<feTurbulence baseFrequency=.9 numOctaves=50 />"
            + "<feMorphology operator=dilate radius=50 /><feGaussianBlur stdDeviation=90 />" * 40,
            shapes="<rect width=1280 height=720 filter='url(#f)' />" * 30,
        ),
        codes=_ENDED,
    ),
    Bad("gpu: canvases", _CANVASES, codes=_ENDED),
    Bad("memory: textures", _TEXTURES, codes=_ENDED, wait_ms=5000),
    Bad("memory: blobs", _BLOBS, codes=_ENDED, wait_ms=5000),
    Bad(
        "browser: frames",
        "<script>for (let i = 0; i < 3000; i++) document.body.append("
        "Object.assign(document.createElement('iframe'), {srcdoc: '<p>' + i}))</script>",
        codes=_ENDED,
    ),
    Bad(
        "browser: messages",
        "<script>const c = new BroadcastChannel('x'), d = new BroadcastChannel('x');"
        "d.onmessage = () => { for (let i = 0; i < 9; i++) c.postMessage('x'.repeat(99999)) };"
        "c.postMessage(1)</script>",
        codes=_ENDED,
    ),
    Bad("page: deep", "<div>" * 100_000, codes=_ENDED),
    Bad(
        "page: printing without an end",
        "<style>p { break-after: page }</style>" + "<p><table><tr><td>x</table>" * 90_000,
        codes=_ENDED,
        format="pdf",
    ),
)
