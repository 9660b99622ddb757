"""The engine: the only room that knows Playwright.

`Engine` is its door: admission, deadline, answers. Behind it, from the line to the picture:

- `slots`: bounded pages and the line before them; `rendering`: one render on its way
- `outcomes`: what becomes of a render: served, lost, tried again, given up
- `page`: one render, top to bottom
- `browser`: one browser's life, and speaking with it
- `keeping`: browsers kept up, and what ends where a page does not
"""

from farm.render.engine import Engine
from farm.render.rendering import Rendering

__all__ = ["Engine", "Rendering"]
