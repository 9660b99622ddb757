"""Keeps browsers running, and deals with renders and processes that fail or hang.

- `keeper`: starts, checks and replaces the browser. A thread of its own.
- `host`: a browser and the renders in it.
- `drawing`, `evidence`: watch whether the GPU process draws, and find pages that may prevent it.
- `escalation`: ends a render that does not end by itself.
- `quarantine`, `poison`: render a suspect alone, and refuse pages that crash browsers.
"""
