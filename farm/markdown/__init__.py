"""Converts Markdown to a whole HTML document, in child processes.

The web layer and the engine call `converter`, which keeps the processes and bounds their time.
`process` runs in them, and `document` does the conversion. Only `document` imports the parser.
"""

from farm.markdown.converter import Converter

__all__ = ["Converter"]
