"""Webhooks: the end of a job is told to whom it names, by whichever worker is alive.

`due` is the line in Redis, `outbox` what is taken from it and put back, `message` what is sent,
`sending` one try by HTTP, `sender` the threads of a worker that do all that.

Not RQ: what RQ queues for later needs its scheduler, which forks, and a worker holds a browser; and
a job of a dead worker is found by RQ after minutes only.
"""
