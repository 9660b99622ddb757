"""The pipe to Chromium, with a switch in it that lets Playwright and the farm share one browser.

Playwright launches, owns, kills and reaps Chromium. Its driver talks to the process that it starts
through two descriptors: 3, which the browser reads, and 4, which the browser writes. Here the
driver starts `launcher.py`. It passes both descriptors to the farm, gets two others in their place,
and then becomes Chromium, so that the process id is the one that Playwright knows::

    driver ──3──► Switch ──► Chromium        Playwright's few messages are forwarded,
    driver ◄──4── Switch ◄── Chromium        the farm's own are sent beside them

So no message of a render goes through the driver; that cost a fifth of the throughput. The switch
gives all messages ids of its own. Events go to the owner of their session.

The launcher finds the farm through a socket in a folder that only the farm's user may enter. The
folder exists only while the browser starts.

All of it runs in the loop of the browser's thread, and nothing is thread-safe. When one end is
closed, so is the other. Messages end with a zero byte, as `--remote-debugging-pipe` requires.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import shutil
import socket
import struct
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from farm.render.browser.pipe_ends import Reader, Writer

log = structlog.get_logger()

Message = dict[str, Any]
#: Called with the answer to a command: a message with `result` or `error`.
OnAnswer = Callable[[Message], None]
#: Called with the events of a session: their method and parameters.
OnEvent = Callable[[str, Message], None]

#: The prefix of the folder that holds the socket.
FOLDER_PREFIX = "farm-switch-"
LAUNCHER = Path(__file__).with_name("launcher")

#: The largest pipe that the kernel grants to every user. A picture takes fewer turns then.
_PIPE_BYTES = 1 << 20
#: The longest path of a Unix socket (unix(7)), without the socket's name.
_MAX_FOLDER = 90
#: The time that the launcher may take to exchange the descriptors: two messages of one byte.
_LAUNCHER_TIMEOUT_S = 5.0
#: Process, user and group (unix(7), SO_PEERCRED).
_PEER_CREDENTIALS = struct.Struct("3i")


class Switch:
    """Connects one driver and one Chromium, from before the launch to their end."""

    def __init__(self, on_end: Callable[[], None]) -> None:
        """Make it in the loop's thread.

        `on_end` is called once, when an end of the pipe is closed.
        """
        self._loop = asyncio.get_running_loop()
        self._on_end = on_end
        #: The process id of Chromium; None until the launcher has connected.
        self.pid: int | None = None
        self.ended = False
        self._last_id = 0
        self._answers: dict[int, OnAnswer] = {}
        self._sessions: dict[str, OnEvent] = {}
        self._playwrights_sessions: set[str] = set()
        self._readers: list[Reader] = []
        self._browser: Writer | None = None
        self._playwright: Writer | None = None
        self._folder = _private_folder()
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.setblocking(False)
        self._listening.bind(self._socket_path)
        self._listening.listen(1)
        self._loop.add_reader(self._listening, self._accept)

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables for the launcher."""
        return {
            "FARM_PYTHON": sys.executable,
            "FARM_LAUNCHER": str(LAUNCHER.with_suffix(".py")),
            "FARM_SWITCH": self._socket_path,
        }

    def send(
        self,
        method: str,
        params: Message,
        session: str | None = None,
        on_answer: OnAnswer | None = None,
    ) -> int:
        """Send a command of the farm; returns its id. Sends nothing once the pipe is closed."""
        message: Message = {"method": method, "params": params}
        if session is not None:
            message["sessionId"] = session
        return self._send(message, on_answer)

    def forget(self, command: int) -> None:
        """Ignore the command's answer."""
        self._answers.pop(command, None)

    def open(self, session: str, on_event: OnEvent) -> None:
        """Register a session of the farm, and what its events are passed to."""
        self._sessions[session] = on_event

    def close_session(self, session: str) -> None:
        self._sessions.pop(session, None)

    def close(self) -> None:
        """Close all ends, which ends Chromium. May be called twice."""
        self._stop_listening()
        for reader in self._readers:
            reader.close()
        for writer in (self._browser, self._playwright):
            if writer is not None:
                writer.close()
        self._answers.clear()
        self._sessions.clear()
        if not self.ended:
            self.ended = True
            self._on_end()

    @property
    def _socket_path(self) -> str:
        return str(self._folder / "switch")

    def _accept(self) -> None:
        """The launcher has connected: exchange its two descriptors for two others."""
        try:
            launcher, _ = self._listening.accept()
        except BlockingIOError:
            return
        self._stop_listening()
        browser_reads, to_browser = os.pipe()
        from_browser, browser_writes = os.pipe()
        try:
            with launcher:
                launcher.settimeout(_LAUNCHER_TIMEOUT_S)
                credentials = launcher.getsockopt(
                    socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER_CREDENTIALS.size
                )
                self.pid, _, _ = _PEER_CREDENTIALS.unpack(credentials)
                _, (from_playwright, to_playwright), _, _ = socket.recv_fds(
                    launcher, 1, 2, socket.MSG_CMSG_CLOEXEC
                )
                socket.send_fds(launcher, [b"x"], [browser_reads, browser_writes])
        except (OSError, ValueError) as exc:  # the launcher died during the exchange
            log.warning("the launcher did not do its part", cause=str(exc))
            os.close(to_browser)
            os.close(from_browser)
            self.close()
            return
        finally:
            os.close(browser_reads)
            os.close(browser_writes)
        for pipe in (to_browser, from_browser):
            with contextlib.suppress(OSError):  # the kernel may bound all pipes of a user
                fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        self._browser = Writer(self._loop, to_browser, self.close)
        self._playwright = Writer(self._loop, to_playwright, self.close)
        self._readers = [
            Reader(self._loop, from_browser, self._from_browser, self.close),
            Reader(self._loop, from_playwright, self._from_playwright, self.close),
        ]

    def _stop_listening(self) -> None:
        if self._listening.fileno() >= 0:
            self._loop.remove_reader(self._listening)
            self._listening.close()
            shutil.rmtree(self._folder, ignore_errors=True)

    def _send(self, message: Message, on_answer: OnAnswer | None) -> int:
        self._last_id += 1
        message["id"] = self._last_id
        if on_answer is not None:
            self._answers[self._last_id] = on_answer
        if self._browser is not None:
            self._browser.write(_encoded(message))
        return self._last_id

    def _from_browser(self, data: bytes) -> None:
        message = json.loads(data)
        if "id" in message:
            if (on_answer := self._answers.pop(message["id"], None)) is not None:
                on_answer(message)
            return
        session = message.get("sessionId")
        if (on_event := self._sessions.get(session)) is not None:
            on_event(message["method"], message["params"])
        elif session is None or session in self._playwrights_sessions:
            if message["method"] == "Target.attachedToTarget":
                self._playwrights_sessions.add(message["params"]["sessionId"])
            self._to_playwright(data)

    def _from_playwright(self, data: bytes) -> None:
        message = json.loads(data)
        on_answer = partial(self._answer_playwright, message["id"])
        if "sessionId" not in message:
            match message["method"]:
                case "Target.setAutoAttach":
                    # Not to all pages of the browser: Chromium would pause each of the farm's pages
                    # too, until the driver resumes it.
                    message["params"]["autoAttach"] = False
                case "Target.createTarget":
                    on_answer = partial(self._attach_for_playwright, on_answer)
        self._send(message, on_answer)

    def _attach_for_playwright(self, on_answer: OnAnswer, created: Message) -> None:
        """Attach to Playwright's new page before answering, as Playwright expects."""
        if "result" not in created:
            on_answer(created)
            return
        params = {"targetId": created["result"]["targetId"], "flatten": True}
        self.send("Target.attachToTarget", params, on_answer=lambda _: on_answer(created))

    def _answer_playwright(self, playwrights_id: int, message: Message) -> None:
        self._to_playwright(_encoded({**message, "id": playwrights_id}))

    def _to_playwright(self, data: bytes) -> None:
        if self._playwright is not None:
            self._playwright.write(data)


def _encoded(message: Message) -> bytes:
    # Not as ASCII, which can take three bytes for one: Chromium ends at a message of 100 MB
    # (kReceiveBufferSizeForDevTools in its devtools_pipe_handler.cc).
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()


def _private_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX))
    if len(str(folder)) > _MAX_FOLDER:
        folder.rmdir()
        folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX, dir="/tmp"))
    return folder
