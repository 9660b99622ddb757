"""How a gunicorn worker serves its clients: no client holds a thread by being slow.

The worker's main loop reads what arrives, headers and bodies, and drops what nobody wants; it
never waits for a client. A thread has a request only when all of it is there. Each phase of a
connection has a deadline, and where room is short, the slowest makes way for who comes::

    worker.py      the main loop: from the head to the end of a connection
    clients.py     all connections, what is awaited of each, and who makes way
    connection.py  one connection: its bytes, its request
    incoming.py    a body as it arrives
    budget.py      the bytes that all bodies may hold
    sending.py     answers, sent by threads; a bounded number of them may wait for clients
    refusals.py    the errors that no route answers
"""
