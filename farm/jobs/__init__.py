"""Jobs: renders that a client submits now and fetches later. Only this package uses RQ.

Two modules are its interface: `queue` for the request threads of `farm serve`, and `worker` for the
process `farm worker`. The others:

- `submissions`: checks and enqueues a job
- `record`: each job's record in Redis, and its changes of state
- `rq_queue`, `rq_worker`: RQ's queue and RQ's worker; only they touch RQ's private parts
- `turns`: the order of callers' jobs
- `task`: runs one job
- `endings`: waits for the end of a job
- `expiry`: removes files whose job has expired
- `files`, `redis_storage`: the storage of inputs and files
- `webhooks`: calls a client's URL when a job ends
- `broker`: the connection to Redis
- `embedded`: the Valkey servers that the farm itself starts
- `dashboard`: `farm dashboard`
"""
