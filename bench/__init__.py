"""Measurements; nothing here is a test, and nothing of the farm needs it."""
