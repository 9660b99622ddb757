"""Makes and reads signed links: URLs that contain a render request, signed with a key.

::

    /r/{signature}/{payload}

    payload     VERSION + base64url(deflate(JSON)): a request as `/render` takes it, and `exp`, the
                seconds since 1970 at which the link expires
    signature   base64url(HMAC-SHA256(key, "/" + payload))

base64url is that of RFC 4648, 5, without padding; deflate is RFC 1951, without a header. Links are
signed as imgproxy signs URLs, without its salt (https://docs.imgproxy.net/usage/signing_url).

The web layer, the settings, the client and `farm link` call it, in any thread. It imports only
Python's standard library, so that clients can use it.
"""

import base64
import binascii
import hashlib
import hmac
import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

#: The route of links, in Falcon's syntax.
ROUTE = "/r/{signature}/{payload}"
_PLACE = "/r"
#: The first character of a payload: the version of its encoding.
VERSION = "1"
#: The longest payload. gunicorn accepts 8,190 bytes for a request line, and nginx 8,192.
MAX_PAYLOAD = 8_000
#: The most bytes that are inflated: a payload of 8,000 characters could expand to 6 MB.
MAX_REQUEST_BYTES = 1 << 20
#: The name of a key without a name.
DEFAULT_NAME = "default"
MIN_KEY = 32
_RAW_DEFLATE = -15
_PAIR = re.compile(r"(?:([A-Za-z0-9._-]{1,64}):)?([\x21-\x2b\x2d-\x39\x3b-\x7e]*)")
_BASE64URL = re.compile(r"[A-Za-z0-9_-]*", re.ASCII)


class LinkError(ValueError):
    """A payload is not valid. `str()` is a sentence that says why."""


@dataclass(frozen=True)
class LinkKeys:
    """One or more keys. Links are signed with the first, and verified with any of them."""

    #: Names and keys. Several keys may have the same name, while a key is being replaced.
    _pairs: tuple[tuple[str, str], ...] = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read keys or `name:key` pairs, separated by commas or white space.

        Raises `ValueError`, which lists every fault by its position and contains no part of a key.
        """
        problems = []
        pairs: list[tuple[str, str]] = []
        for number, part in enumerate(filter(None, re.split(r"[,\s]+", text)), 1):
            match = _PAIR.fullmatch(part)
            if match is None or len(match[2]) < MIN_KEY:
                problems.append(
                    f"key {number} must be {MIN_KEY} or more visible ASCII characters without "
                    "comma and colon, or such a key behind a name and a colon"
                )
            elif any(match[2] == key for _, key in pairs):
                problems.append(f"key {number} was there before")
            else:
                pairs.append((match[1] or DEFAULT_NAME, match[2]))
        if not problems and not pairs:
            problems.append("there is no key in it")
        if problems:
            raise ValueError("; ".join(problems))
        return cls(tuple(pairs))

    @property
    def newest(self) -> str:
        """The key that signs new links."""
        return self._pairs[0][1]

    @property
    def names(self) -> set[str]:
        """The names of all keys."""
        return {name for name, _ in self._pairs}

    def name_of(self, signature: str, payload: str) -> str | None:
        """The name of the key that has signed the payload; None if none has.

        The duration does not depend on the keys.
        """
        found = None
        sent = signature.encode(errors="replace")
        for name, key in self._pairs:
            # Compared as text, since four different texts decode to the same bytes.
            if hmac.compare_digest(sent, sign(payload, key).encode()):
                found = found or name
        return found


def make_link(
    fields: Mapping[str, Any], key: str, *, base: str = "", expires_at: int | None = None
) -> str:
    """The signed URL of a render. `fields`: a request, as the JSON of `POST /render`.

    `base`: the farm's URL, such as `https://img.example.com`. `expires_at`: seconds since 1970.
    Raises `LinkError` if the request is too long for a URL.
    """
    expiry = {} if expires_at is None else {"exp": expires_at}
    payload = pack({**fields, **expiry})
    return f"{base.rstrip('/')}{_PLACE}/{sign(payload, key)}/{payload}"


def sign(payload: str, key: str) -> str:
    """The signature: 43 characters."""
    text = f"/{payload}".encode(errors="replace")
    return _base64url(hmac.digest(key.encode(), text, hashlib.sha256))


def pack(fields: Mapping[str, Any]) -> str:
    """The payload of a request. The order of the fields does not matter. Raises `LinkError`."""
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    # Half of a surrogate pair is passed on: the farm refuses it with a sentence.
    data = text.encode(errors="surrogatepass")
    if len(data) > MAX_REQUEST_BYTES:  # 50 MB would take ten seconds to deflate
        raise _too_long(f"{len(data):,} bytes, and {MAX_REQUEST_BYTES:,}")
    deflate = zlib.compressobj(9, zlib.DEFLATED, _RAW_DEFLATE, 9)
    payload = VERSION + _base64url(deflate.compress(data) + deflate.flush())
    if len(payload) > MAX_PAYLOAD:
        raise _too_long(f"{len(payload):,} characters, and {MAX_PAYLOAD:,}")
    return payload


def _too_long(sizes: str) -> LinkError:
    return LinkError(
        f"The request is too long for a link: {sizes} are allowed. Put the page where a URL leads "
        "to it."
    )


def unpack(payload: str) -> bytes:
    """The JSON text in a payload. Raises `LinkError`."""
    if len(payload) > MAX_PAYLOAD:
        raise LinkError(f"The link's payload is longer than {MAX_PAYLOAD:,} characters.")
    version, text = payload[:1], payload[1:]
    if version != VERSION:
        raise LinkError(f"The link's payload must begin with {VERSION}, the version of its form.")
    if not _BASE64URL.fullmatch(text):
        raise LinkError("The link's payload is not base64url without padding.")
    inflate = zlib.decompressobj(_RAW_DEFLATE)
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        found = inflate.decompress(data, MAX_REQUEST_BYTES + 1)
    except (binascii.Error, zlib.error) as exc:
        raise LinkError("The link's payload is not a deflated text in base64url.") from exc
    if len(found) > MAX_REQUEST_BYTES:
        raise LinkError(f"The link's request has more than {MAX_REQUEST_BYTES:,} bytes.")
    if not inflate.eof or inflate.unused_data:
        raise LinkError("The link's payload ends too early, or has more than a deflated text.")
    return found


def without_payload(path: str) -> str:
    """The path for logs: the route instead of the path of a link, or of what resembles one."""
    is_link = f"/{path.lstrip('/')}".startswith(f"{_PLACE}/")
    return ROUTE if is_link else path


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
