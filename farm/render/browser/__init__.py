"""One browser's life.

`thread` owns it, `chromium` finds it and launches it by way of `launcher`, `pipe` passes on what is
said to it, and `devtools` speaks to it. `contexts` makes its pages, each a `page`. `memory`
measures it, and `gpu` knows the process that draws for all of them.
"""
