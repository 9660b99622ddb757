"""A ledger of webhooks: `python -m tests.webhooks`."""
