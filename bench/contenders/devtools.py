"""A Chromium driven through the raw DevTools protocol over a pipe, as little as it can be.

Source: https://chromedevtools.github.io/devtools-protocol/ ; `--remote-debugging-pipe` reads
messages from file descriptor 3 and writes them to 4, each ended by a zero byte.
"""

import asyncio
import json
import os
import pwd
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from farm.render.browser.chromium import find_chromium
from farm.settings import Settings

#: What costs time or reaches out: background work off, as every driver of Chromium has it.
ARGUMENTS = (
    "--headless",
    "--no-first-run",
    "--hide-scrollbars",
    "--mute-audio",
    "--disable-background-networking",
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--disable-back-forward-cache",
    "--disable-breakpad",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-sync",
    "--force-color-profile=srgb",
    "--metrics-recording-only",
    "--password-store=basic",
    "--no-startup-window",
)


class ProtocolError(Exception):
    """The browser answered with an error."""


class Browser(asyncio.Protocol):
    """Sends commands; answers are matched by their ids."""

    def __init__(self) -> None:
        self._received = bytearray()
        self._searched = 0
        self._last_id = 0
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self.writer: asyncio.WriteTransport

    def send(
        self, method: str, params: dict[str, Any] | None = None, session: str | None = None
    ) -> asyncio.Future[Any]:
        self._last_id += 1
        message: dict[str, Any] = {"id": self._last_id, "method": method, "params": params or {}}
        if session is not None:
            message["sessionId"] = session
        answer = self._waiting[self._last_id] = asyncio.get_running_loop().create_future()
        self.writer.write(json.dumps(message).encode() + b"\0")
        return answer

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\0", self._searched)) >= 0:
            message = json.loads(self._received[:end])
            del self._received[: end + 1]
            self._searched = 0
            answer = self._waiting.pop(message.get("id"), None)
            if answer is None or answer.done():
                continue
            if "error" in message:
                answer.set_exception(ProtocolError(message["error"]["message"]))
            else:
                answer.set_result(message["result"])
        self._searched = len(self._received)


@asynccontextmanager
async def launched(*arguments: str) -> AsyncIterator[Browser]:
    """The farm's Chromium, as the farm's user and in its sandbox."""
    chromium = find_chromium(Settings())
    loop = asyncio.get_running_loop()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        become: list[str] = []
        if chromium.user is not None:
            account = pwd.getpwnam(chromium.user)
            os.chown(profile, account.pw_uid, account.pw_gid)
            become = ["setpriv", "--reuid", chromium.user, "--regid", str(account.pw_gid)]
            become += ["--clear-groups", "--inh-caps=-all", "--no-new-privs", "--"]
        from_browser, its_output = os.pipe()
        its_input, to_browser = os.pipe()

        def place_pipes() -> None:
            # First out of each other's way.
            source, sink = os.dup(its_input), os.dup(its_output)
            os.dup2(source, 3)
            os.dup2(sink, 4)

        process = await asyncio.create_subprocess_exec(
            *become,
            chromium.path,
            *ARGUMENTS,
            *arguments,
            f"--user-data-dir={profile}",
            "--remote-debugging-pipe",
            env={**os.environ, "HOME": profile},
            stderr=asyncio.subprocess.DEVNULL,
            pass_fds=(3, 4),
            preexec_fn=place_pipes,
        )
        os.close(its_input)
        os.close(its_output)
        reader, browser = await loop.connect_read_pipe(Browser, os.fdopen(from_browser, "rb"))
        browser.writer, _ = await loop.connect_write_pipe(
            asyncio.Protocol, os.fdopen(to_browser, "wb")
        )
        try:
            yield browser
            browser.send("Browser.close")
            await asyncio.wait_for(process.wait(), 5)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            reader.close()
            browser.writer.close()
