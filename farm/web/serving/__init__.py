"""The gunicorn worker of the farm: no slow client holds a thread.

`farm/gunicorn_conf.py` makes it gunicorn's worker class. The main loop, in the worker's main
thread, reads heads and bodies as they arrive, and discards bodies that the application does not
want. It never waits for a client. A thread gets a request only when all of it has arrived. Each
phase of a connection has a deadline. When connections or memory run out, the slowest client is
dropped in favour of a new one::

    worker.py      the main loop, gunicorn's threads, and stopping
    steps.py       a connection from its first head to its end
    clients.py     all connections: what the loop waits for, and which is dropped to make room
    connection.py  one connection: its bytes, its request
    incoming.py    a body as it arrives
    budget.py      the bytes that all bodies may hold
    sending.py     answers, sent by threads; a bounded number of them may wait for clients
    refusals.py    errors that are sent without the application
"""
