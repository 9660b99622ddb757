"""Webhooks: when a job ends, a worker sends an HTTP request to each URL that the job names.

- `due`: the queue of deliveries in Redis
- `outbox`: takes a delivery from the queue, and records the outcome of a try
- `message`: the body and headers of a request
- `transport`: one try by HTTP
- `signing`: the signature of a message
- `sender`: the threads of a worker process that do all that

Webhooks do not use RQ. RQ needs its scheduler for work that is due later; the scheduler forks, and
a worker process has a browser, which must not be forked. RQ also finds a dead worker's job only
after minutes.
"""
