"""Jobs: the only room that knows RQ and Redis.

Doors: `queue` for those who submit and ask, `worker` for those who do. Behind them: `record` (moves
jobs from state to state), `rq_adapter` (all that touches RQ's inside), `task` (one job), `endings`
(waiting for a job), `expiry` (files whose job is gone), `broker` (the connection), `redis_storage`
(files in the same Redis), `embedded` (a Valkey of the farm's own), `dashboard`.
"""
