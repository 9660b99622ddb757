"""One browser, from its launch to its end.

A thread for each browser runs all of it. `thread` owns Playwright and Chromium, and `running` knows
their processes. `chromium` finds and launches Chromium through `launcher`. `pipe` forwards the
messages of its pipe (`pipe_ends`), and `devtools` sends commands. `contexts` and `kept` provide
pages, each a `page`. `memory` measures the processes, and `gpu` watches the one that draws for all pages.
"""
