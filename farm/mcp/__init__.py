"""`farm mcp`: a Model Context Protocol server, whose tools let an agent render pages.

::

    server.py      the protocol over standard input and output, and how the process ends
    answering.py   answers to lines that are no messages
    tools.py       names, descriptions and argument schemas of the tools
    rendering.py   who renders: a farm at a URL, or an engine in this process
    saving.py      where files may be saved
    content.py     what a tool answers, bounded so that it does not fill the agent's context
    report.py      the summary of a render in an answer

https://modelcontextprotocol.io/specification
"""
