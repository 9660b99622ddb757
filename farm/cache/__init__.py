"""The cache: a renderer in front of another, which keeps files and joins equal requests.

::

    CachedRenderer          what callers use: found, or passed on      renderer.py
    ├─ PendingRender        a request that is being answered           pending.py
    ├─ Keys                 a digest that equal requests share         key.py
    ├─ RenderOnce           one render for all equal requests          render_once.py
    │  ├─ SharedRenders     joins the requests of this process         joining.py
    │  └─ Locks             renews the locks that this process holds   locks.py
    ├─ Recent               files that this process has just had       recent.py
    └─ Store                the Redis; an unavailable one is empty     store.py
       ├─ connect           bounds the time of each call               connection.py
       ├─ scripts           what one call does in Redis                scripts.py
       ├─ values            files as Redis keeps them                  value.py
       └─ SupervisorSocket  asks for the embedded Redis                supervisor_socket.py

A request that does not ask for the cache is passed on unchanged. Threads that handle requests or do
jobs call `CachedRenderer`; only `Locks` has a thread of its own.
"""

from farm.cache.key import Keys
from farm.cache.renderer import CachedRenderer
from farm.cache.store import Store
from farm.cache.supervisor_socket import SupervisorSocket

__all__ = ["CachedRenderer", "Keys", "Store", "SupervisorSocket"]
