"""Finds which user made the other end of a loopback connection.

The proxy asks for every connection that it accepts, in its process's only thread.
"""

import socket
import struct

# sock_diag(7): linux/netlink.h, linux/sock_diag.h, linux/inet_diag.h
_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_NLM_F_REQUEST = 1
_ANY_STATE = 0xFFFFFFFF
_ANY_COOKIE = b"\xff" * 8
_HEADER = struct.Struct("=IHHII")
_REQUEST = struct.Struct("=BBBxI")
#: The offset of `idiag_uid` in the answer: after the header, four bytes, the socket's id, and three
#: words.
_UID = struct.Struct(f"={_HEADER.size + 4 + 48 + 12}xI")


def peer_uid(connection: socket.socket) -> int | None:
    """The user who made the other end of an IPv4 connection within this machine.

    None if the connection is gone, or if the kernel does not answer. The query takes about 10 µs;
    reading `/proc/net/tcp` instead took 4 ms.
    """
    ours, theirs = connection.getsockname(), connection.getpeername()
    pair = struct.pack(">HH4s12x4s12x", theirs[1], ours[1], _ip(theirs), _ip(ours))
    body = _REQUEST.pack(socket.AF_INET, socket.IPPROTO_TCP, 0, _ANY_STATE)
    body += pair + bytes(4) + _ANY_COOKIE
    header = _HEADER.pack(_HEADER.size + len(body), _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, 0, 0)
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _NETLINK_SOCK_DIAG) as netlink:
            netlink.send(header + body)
            answer = netlink.recv(4096)
    except OSError:
        return None
    if _HEADER.unpack_from(answer)[1] != _SOCK_DIAG_BY_FAMILY:
        return None
    uid: int = _UID.unpack_from(answer)[0]
    return uid


def _ip(address: tuple[str, int]) -> bytes:
    return socket.inet_aton(address[0])
