"""The engine: renders pages with Chromium. No other package uses Playwright.

`Engine` is its interface for request and job threads: admission, deadlines, answers. From the queue
to the picture:

- `slots`, `turns`: a bounded number of pages, and the queue before them
- `health`: whether the engine can render, and why a render is late
- `rendering`: the state of one render
- `attempt`: one try at a render, and why it has failed
- `outcomes`: what becomes of a render: answered, failed, retried, given up
- `finishing`, `finishing_pdf`: what is done to a file after its capture
- `page`: the steps of one render
- `browser`: one browser, from its launch to its end, and communication with it
- `keeping`: restarts browsers, and ends renders and processes that hang
"""

from farm.render.engine import Engine
from farm.render.rendering import Rendering

__all__ = ["Engine", "Rendering"]
