"""What is rendered: pages, a mix of them, and a slow site."""
