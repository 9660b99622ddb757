"""The farm's metrics, in Prometheus's format.

- `folder`: the folder in which the processes of an instance share their figures
- `figures`: the metrics, and the functions that count
- `exposition`: the answer of `/metrics`

The values of labels are bounded: a caller's id, URL or key is never a label.
"""
