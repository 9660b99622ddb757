"""What comes of it: figures, goals, `report.md` and its pictures."""
