"""`python -m tests.release [FOLDER]`: build what is released, and use it as its users do.

It builds the sdist, and from that the wheel. pip installs the wheel into two empty venvs, with the
locked versions: into one as it is, for the client, and into the other with the extras of a server.
There, in an empty folder, it renders a page and runs a farm. FOLDER, if it is given, gets sdist,
wheel, and the list of all packages of the server (an SBOM in CycloneDX's JSON). It takes some
minutes, and needs a Chromium on the machine and PyPI.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import farm

ROOT = Path(__file__).parents[1]
SERVER = "[server,dashboard]"
STARTS_S = 60


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {text}", flush=True)


def check(what: str, good: object) -> None:
    say(f"{'ok ' if good else 'BAD'} {what}")
    if not good:
        sys.exit(f"The release is not as it should be: {what}")


def clean() -> dict[str, str]:
    """The environment without what would lead to the checkout, or set the farm."""
    mine = ("FARM_", "PYTHON", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if not name.startswith(mine)}


def run(*command: str | Path, cwd: Path | None = None) -> str:
    """Its standard output; if it fails, this program does."""
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=cwd, env=clean())
    if done.returncode:
        sys.exit(f"{done.stdout}\nThis failed: {' '.join(map(str, command))}")
    return done.stdout


def make_venv(folder: Path, *what: str | Path) -> Path:
    """With that installed and nothing else, not even pip. Returns its Python."""
    run(sys.executable, "-m", "venv", "--without-pip", folder)
    python = folder / "bin/python"
    pip: list[str | Path] = [sys.executable, "-m", "pip", "--python", python]
    run(*pip, "install", "-qq", *what)
    run(*pip, "check")
    return python


def build(tools: Path, folder: Path) -> Path:
    """The wheel, from the sdist, which is beside it."""
    run(tools, "-m", "build", "--no-isolation", "--outdir", folder, ROOT)
    (wheel,) = folder.glob("*.whl")
    return wheel


def constraints(folder: Path) -> Path:
    """The locked versions without their hashes, for pip to keep to."""
    locked = (ROOT / "conf/requirements.txt", ROOT / "conf/requirements-source.txt")
    lines = [line for file in locked for line in file.read_text().splitlines()]
    file = folder / "constraints.txt"
    file.write_text("\n".join(line.rstrip("\\ ") for line in lines if re.match(r"\w.*==", line)))
    return file


def write_sbom(tools: Path, venv: Path, file: Path) -> None:
    tool: list[str | Path] = [tools, "-m", "cyclonedx_py", "environment", "--output-reproducible"]
    run(*tool, "--output-file", file, venv)
    parts = {part["name"] for part in json.loads(file.read_text())["components"]}
    check(f"{file.name} lists {len(parts)} packages", {"render-farm", "falcon"} <= parts)


@contextmanager
def serving(program: Path, folder: Path) -> Iterator[str]:
    """Its URL, while `farm serve` runs."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = clean() | {"FARM_PORT": str(port), "FARM_WORKERS": "1"}
    process = subprocess.Popen([program, "serve"], cwd=folder, env=environment)
    url = f"http://127.0.0.1:{port}"
    try:
        end = time.monotonic() + STARTS_S
        up = False
        while not up and process.poll() is None and time.monotonic() < end:
            with suppress(OSError), urllib.request.urlopen(url + "/health", timeout=5):
                up = True
            time.sleep(0.2)
        check("farm serve is up", up)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        status = process.wait(150)
    check("it ends by SIGTERM, with 0", status == 0)


def ask(url: str, body: object = None, accept: str = "*/*") -> bytes:
    headers = {"Content-Type": "application/json", "Accept": accept}
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=60) as answer:
        return bytes(answer.read())


def try_client(venv: Path, folder: Path) -> None:
    run(venv / "bin/python", "-c", "import farm.client", cwd=folder)
    printed = run(venv / "bin/farm", "--version", cwd=folder)
    check(f"without extras, farm --version: {printed.strip()}", farm.__version__ in printed)
    served = subprocess.run(
        [venv / "bin/farm", "serve"], cwd=folder, env=clean(), capture_output=True, text=True
    )
    told = "pip install 'render-farm[server]'" in served.stderr
    check("farm serve says what to install", served.returncode and told)


def try_server(program: Path, folder: Path) -> None:
    page, file = folder / "page.html", folder / "page.png"
    page.write_text("<h1>Hello</h1>")
    version, chromium = run(program, "--version", cwd=folder).splitlines()
    check(f"farm --version: {version}, {chromium}", version.split()[-1] == farm.__version__)
    run(program, "render", page, "-o", file, cwd=folder)
    check("farm render makes a PNG", file.read_bytes().startswith(b"\x89PNG"))
    with serving(program, folder) as url:
        body = {"html": "<h1>Hello</h1>"}
        picture = ask(url + "/render", body, "image/png")
        check("POST /render answers with one", picture.startswith(b"\x89PNG"))
        job = json.loads(ask(url + "/render-async", body))["jobId"]
        state = json.loads(ask(f"{url}/render-async/{job}?wait=30"))["status"]
        check(f"a job is done: {state}", state == "completed")
        check("the playground is there", b"<title>" in ask(url + "/", accept="text/html"))
        check("and the document of the API", b'"openapi"' in ask(url + "/openapi.json"))


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="render-farm-release-", dir="/var/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)  # Chromium is another user where this is root
        made, empty = folder / "dist", folder / "empty"
        empty.mkdir()
        say("the tools")
        lock = ROOT / "conf/requirements-release.txt"
        tools = make_venv(folder / "tools", "--require-hashes", "-r", lock)
        say("sdist and wheel")
        wheel = build(tools, made)
        check(f"{wheel.name} has the farm's version", wheel.name.split("-")[1] == farm.__version__)
        kept_to = ("--constraint", constraints(folder))
        say("an empty venv for the client")
        make_venv(folder / "client", *kept_to, wheel)
        try_client(folder / "client", empty)
        say("an empty venv for the server")
        make_venv(folder / "server", *kept_to, f"{wheel}{SERVER}")
        write_sbom(tools, folder / "server", made / f"render-farm-{farm.__version__}.cdx.json")
        try_server(folder / "server/bin/farm", empty)
        if sys.argv[1:]:
            shutil.copytree(made, sys.argv[1], dirs_exist_ok=True)


if __name__ == "__main__":
    main()
