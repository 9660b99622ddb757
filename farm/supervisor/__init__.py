"""Runs a farm without an external Redis: `farm serve` starts its Valkey, a worker and gunicorn.

It is a composition root, called by `farm serve` in the main thread of a process of its own::

    farm serve
    ├─ Valkey        for the queue: starts first, stops last; restarted when it ends
    ├─ Valkey        for cached files: starts when a child asks for it
    │                (`farm.cache.supervisor_socket`), or at once if FARM_CACHE_TTL_S is set;
    │                restarted when it ends
    ├─ farm worker   restarted when it ends
    └─ gunicorn      the farm ends when it ends

gunicorn is stopped before the worker, and the worker before Valkey. So each can finish its work
while the processes that it needs still run.
"""

from farm.supervisor.supervisor import run

__all__ = ["run"]
