"""The cases, by what their pages do."""
