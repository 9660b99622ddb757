"""Network access of pages: the egress proxy, through which every browser reaches the network.

`farm.policy` decides what is allowed. The modules here apply it:

- `egress`, `child`: the farm's side. They start the proxy's process, restart it, and open a port
  of it for each render. Any thread of the farm uses them.
- `process`: the proxy's process. It runs asyncio in one thread and serves all ports.
- `proxy`, `hops`: HTTP with the browser and with a site.
- `answers`, `bodies`: a site's answer, parsed as Chromium parses it.
- `dial`, `resolver`: connections to sites, and name look-ups in a child process.
- `peers`: which user has made a connection.
- `turns`: shares the process's thread fairly between renders.
- `lingering`: closes connections that still have data to send.
- `time_limit`: bounds the time for which the farm's own requests use a port.

This package knows nothing of browsers, settings or renders.
"""

from farm.egress.child import NO_PROXY, Port
from farm.egress.egress import Egress
from farm.egress.proxy import Note
from farm.egress.time_limit import closed_after

__all__ = ["NO_PROXY", "Egress", "Note", "Port", "closed_after"]
