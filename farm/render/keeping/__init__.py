"""Browsers kept up.

`keeper` starts and replaces them, `host` holds the renders of one, `drawing` watches whether it
draws, by `evidence` of its pages. `ladder` ends what does not end by itself; `quarantine` and
`poison` deal with renders that take browsers down.
"""
