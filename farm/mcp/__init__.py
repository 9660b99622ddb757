"""`farm mcp`: a Model Context Protocol server, whose tools let an agent render pages.

::

    server.py      the protocol on standard input and output, and the end of the process
    answering.py   answers to lines that are not messages
    tools.py       names, descriptions and argument schemas of the tools
    rendering.py   the backends that render: a farm at a URL, or an engine in this process
    saving.py      the folder in which tools may save files
    content.py     the answer of a tool, bounded so that it does not fill the agent's context
    report.py      the summary of a render in an answer

https://modelcontextprotocol.io/specification
"""
