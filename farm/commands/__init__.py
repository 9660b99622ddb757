"""The commands of `farm`. `farm.cli` loads the module of the command that is called.

Modules that are not commands: `pages` (arguments of commands that render), `renderers` (an engine
or a farm), `many` and `progress` (many pages), `version` (`farm --version`).
"""
