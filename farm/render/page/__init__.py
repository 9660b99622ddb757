"""The steps of one render, from loading the page to the file. `render` calls them in order.

The engine's `attempt` calls `render`. All of it runs in greenlets of the browser's thread.
"""
