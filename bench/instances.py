"""Several farms on this machine, and nginx before them with the configuration that they ship."""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.servers import wait_for
from tests.farm_process import Farm, free_port, running_farm

CONF = Path(__file__).parents[1] / "conf" / "nginx.conf"


def nginx_program() -> str | None:
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


@contextmanager
def running_nginx(farms: list[Farm]) -> Iterator[str]:
    """nginx before these farms; gives its URL. Only addresses and files are changed."""
    port = free_port()
    with tempfile.TemporaryDirectory() as name:
        servers = "\n".join(
            f"        server 127.0.0.1:{farm.port} max_fails=1 fail_timeout=2s;" for farm in farms
        )
        text = CONF.read_text()
        text = re.sub(r"^ +server 127\.0\.0\.1:3000 .*$", servers, text, flags=re.MULTILINE)
        text = text.replace("listen 8080", f"listen 127.0.0.1:{port}")
        text = text.replace("/tmp/render-farm-nginx.pid", f"{name}/nginx.pid")
        text = text.replace("access_log /dev/stderr farm;", "access_log off;")
        conf = Path(name) / "nginx.conf"
        conf.write_text(text)
        program = nginx_program() or "nginx"
        command = [program, "-c", str(conf), "-p", name, "-g", "daemon off;"]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        url = f"http://127.0.0.1:{port}"
        try:
            wait_for(url + "/health", process)
            yield url
        finally:
            process.terminate()
            process.wait(10)


@contextmanager
def running_farms(count: int, folder: Path, **settings: object) -> Iterator[list[Farm]]:
    with ExitStack() as stack:
        farms = []
        for number in range(count):
            own = folder / f"instance-{number}"
            own.mkdir(mode=0o755)
            farms.append(stack.enter_context(running_farm(own / "log", workers=1, **settings)))
        yield farms
