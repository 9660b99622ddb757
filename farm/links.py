"""Signed links: a render request in an address, which only those who have a key can make.

::

    /r/{signature}/{payload}

    payload     VERSION + base64url(deflate(JSON)): a request as `/render` takes it, and `exp`, the
                seconds since 1970 at which the link expires
    signature   base64url(HMAC-SHA256(key, "/" + payload))

base64url is that of RFC 4648, 5, without padding; deflate is RFC 1951, without a header. The way
to sign is imgproxy's, without its salt (https://docs.imgproxy.net/usage/signing_url).

This module needs nothing but Python, so that clients can have it too.
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

#: Where links lead, as Falcon writes it.
ROUTE = "/r/{signature}/{payload}"
_PLACE = "/r"
#: The first character of a payload: how the rest is to be read.
VERSION = "1"
#: Bounded by gunicorn's 8,190 and nginx's 8,192 bytes for a request line.
MAX_PAYLOAD = 8_000
#: What is inflated at the most: a payload of 8,000 characters could hold 6 MB of zeros.
MAX_REQUEST_BYTES = 1 << 20
#: The name of a key that was given none.
DEFAULT_NAME = "default"
MIN_KEY = 32
_RAW_DEFLATE = -15
_PAIR = re.compile(r"(?:([A-Za-z0-9._-]{1,64}):)?([\x21-\x2b\x2d-\x39\x3b-\x7e]*)")
_BASE64URL = re.compile(r"[A-Za-z0-9_-]*", re.ASCII)


class LinkError(ValueError):
    """`str()` of it says what is wrong with a payload, in a sentence."""


@dataclass(frozen=True)
class LinkKeys:
    """At least one key; links are made with the first, and read with any."""

    #: The name and the key of each. Several keys may have one name: those of a rotation.
    _pairs: tuple[tuple[str, str], ...] = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """From keys, or `name:key` pairs, with commas or white space between.

        Raises `ValueError` with every fault; no word of it is a key's.
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
        """The key that links are made with."""
        return self._pairs[0][1]

    @property
    def names(self) -> set[str]:
        """Of all keys."""
        return {name for name, _ in self._pairs}

    def name_of(self, signature: str, payload: str) -> str | None:
        """Whose key has signed it; None: nobody's. How long it takes tells nothing of the keys."""
        found = None
        sent = signature.encode(errors="replace")
        for name, key in self._pairs:
            # Compared as text: a signature has four spellings that decode to the same bytes.
            if hmac.compare_digest(sent, sign(payload, key).encode()):
                found = found or name
        return found


def make_link(
    fields: Mapping[str, Any], key: str, *, base: str = "", expires_at: int | None = None
) -> str:
    """The address of a render. `fields`: a request, as `POST /render` takes it as JSON.

    `base`: of the farm, such as `https://img.example.com`; `expires_at`: in seconds since 1970.
    Raises `LinkError` where the request is too long for an address.
    """
    expiry = {} if expires_at is None else {"exp": expires_at}
    payload = pack({**fields, **expiry})
    return f"{base.rstrip('/')}{_PLACE}/{sign(payload, key)}/{payload}"


def sign(payload: str, key: str) -> str:
    """43 characters."""
    text = f"/{payload}".encode(errors="replace")
    return _base64url(hmac.digest(key.encode(), text, hashlib.sha256))


def pack(fields: Mapping[str, Any]) -> str:
    """A payload, the same for fields that are the same in whatever order. Raises `LinkError`."""
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    # Half of a surrogate pair goes as it is: whoever reads it says what is wrong.
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
    """A path as logs may have it: of a link, or what may have been meant as one, the route."""
    is_link = f"/{path.lstrip('/')}".startswith(f"{_PLACE}/")
    return ROUTE if is_link else path


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
