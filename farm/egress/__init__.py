"""The way out: what a page may reach, and the proxy that is every browser's only way there.

`farm.policy` decides, `resolver` looks names up, `dial` connects, `proxy` speaks HTTP with the
browser and has `answers` say what a site's answer is, `lingering` lets go of its connections,
`turns` shares the one thread fairly, `process` runs it apart from the farm's own threads, and
`Egress` starts that process and opens a port for each render,
which `in_time` closes for those who use it themselves. Nothing here knows browsers,
settings or renders.
"""

from farm.egress.egress import NO_PROXY, Egress, Port
from farm.egress.in_time import closed_after
from farm.egress.proxy import Note

__all__ = ["NO_PROXY", "Egress", "Note", "Port", "closed_after"]
