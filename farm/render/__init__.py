"""The engine: the only room that knows Playwright.

`Engine` is its door. Behind it, from the line to the picture:

- `slots`: bounded pages and the line before them; `rendering`: one render on its way
- `keeper`: keeps one browser up, and replaces it in time; `memory`: what a browser holds
- `host`: a browser and what is rendered in it; `browser`: the thread that owns Playwright and
  Chromium; `chromium`: finding and launching it; `spares`: contexts made ahead
- `page`: one render, top to bottom; `outputs`: png, jpeg, webp, pdf
- `ladder`: how a render is ended that does not end by itself
- `quarantine`: where suspects are rendered alone; `poison`: what is refused after it
"""

from farm.render.engine import Engine, EngineStatus
from farm.render.rendering import RenderCancelled, Rendering

__all__ = ["Engine", "EngineStatus", "RenderCancelled", "Rendering"]
