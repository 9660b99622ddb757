"""What an operator sees of the farm, in Prometheus's format.

`folder` is where the processes of an instance put their figures together, `figures` what they
count, `exposition` what `/metrics` answers of it.

Labels have few values, whatever callers send: no id, URL or key is ever one.
"""
