"""One browser's life: `thread` owns it, `chromium` finds and launches it, `devtools` speaks to it,
`contexts` makes its pages, `memory` measures it.
"""
