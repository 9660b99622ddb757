"""One render, from its load to its file: `render` calls the steps in order.

All of it runs in greenlets of the browser's thread.
"""
