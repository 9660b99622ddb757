"""One browser, from its launch to its end.

A thread for each browser runs all of it:

- `thread` owns Playwright and Chromium, `greenlets` runs the work of others in it, and `running`
  knows the processes.
- `chromium` finds and launches Chromium, through `launcher`.
- `pipe` and `pipe_ends` forward the messages of Chromium's pipe; `devtools` sends commands.
- `contexts` and `kept` provide pages, each a `page`, whose document `renewal` replaces; `sessions`
  reaches its workers and frames.
- `memory` measures the processes; `gpu` watches the one that draws for all pages.
"""
