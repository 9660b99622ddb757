"""Chaos: a whole farm under good and bad traffic, while what it is made of is killed and stopped.

`python -m tests.chaos` prints the ledger of a long run; `test_chaos.py` is a short one. What is
promised is in docs/faults.md, and `Ledger.broken_promises` says what of it was not kept.
"""
