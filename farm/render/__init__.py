"""The engine: the only room that knows Playwright.

`Engine` is its door. Behind it: `slots` (bounded pages and the line before them), `browser` (the
thread that owns Playwright and Chromium), `spares` (contexts made ahead), `page` (one render, top
to bottom), `outputs` (png, jpeg, webp, pdf) and `chromium` (finding and launching it).
"""

from farm.render.engine import Engine, EngineStatus, RenderCancelled, Rendering

__all__ = ["Engine", "EngineStatus", "RenderCancelled", "Rendering"]
