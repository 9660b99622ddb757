"""Many instances: a deployment on machines of its own, of which some are cut off, or go.

A machine is a network namespace. `python -m tests.instances` plays one scenario after the other and
prints the ledger of each; what came of it is in docs/faults.md.
"""
