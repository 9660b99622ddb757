"""Reads the sides of a picture from the first bytes of its file.

Sources: PNG, 11.2.2; JPEG, B.2.2 (https://www.w3.org/Graphics/JPEG/itu-t81.pdf); WebP, RFC 9649.
"""

import base64

#: The most that is read, in base64 characters. Chromium writes far less before the sides.
_HEAD = 1 << 16


def sides_of(picture: str) -> tuple[int, int]:
    """Width and height of a PNG, JPEG or WebP in base64. Raises `ValueError` for anything else."""
    data = base64.b64decode(picture[:_HEAD])
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return _big(data[16:20]), _big(data[20:24])
    if data.startswith(b"\xff\xd8"):
        return _of_jpeg(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _of_webp(data)
    raise ValueError("not a picture as Chromium writes them")


def _of_jpeg(data: bytes) -> tuple[int, int]:
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], _big(data[at + 2 : at + 4])
        # Start of frame. C4, C8 and CC in this range are other markers.
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return _big(data[at + 7 : at + 9]), _big(data[at + 5 : at + 7])
        at += 2 + length
    raise ValueError("a JPEG without a frame")


def _of_webp(data: bytes) -> tuple[int, int]:
    kind, body = data[12:16], data[20:30]
    if kind == b"VP8X":
        return 1 + _little(body[4:7]), 1 + _little(body[7:10])
    if kind == b"VP8L":
        bits = _little(body[1:5])
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        return _little(body[6:8]) & 0x3FFF, _little(body[8:10]) & 0x3FFF
    raise ValueError("a WebP of an unknown kind")


def _big(data: bytes) -> int:
    return int.from_bytes(data, "big")


def _little(data: bytes) -> int:
    return int.from_bytes(data, "little")
