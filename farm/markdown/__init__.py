"""Markdown becomes a whole HTML document, in a process of its own.

`converter` is the farm's side: it keeps the processes and bounds their time. `process` runs in
them, and `document` does the work. Nothing here but `document` imports the parser.
"""

from farm.markdown.converter import Converter

__all__ = ["Converter"]
