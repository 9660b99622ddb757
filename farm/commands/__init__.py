"""The commands of `farm`, a module each; `farm.cli` loads the one that is called."""
