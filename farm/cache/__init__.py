"""Nothing is rendered twice: a renderer in front of another, which keeps files and joins requests.

::

    CachedRenderer     found? kept? who renders?          renderer.py
    ├─ Keys            what makes two requests the same    key.py
    ├─ Flights         those of this process that wait     joining.py
    ├─ Recent          what this process has just had      recent.py
    ├─ Store           the Redis; gone or slow: nothing    store.py
    │  └─ values       files as Redis has them             value.py
    └─ Locks           who renders, of all processes       locks.py

A request that does not ask for the cache passes through it untouched.
"""

from farm.cache.bell import Bell
from farm.cache.key import Keys
from farm.cache.renderer import CachedRenderer
from farm.cache.store import Store

__all__ = ["Bell", "CachedRenderer", "Keys", "Store"]
