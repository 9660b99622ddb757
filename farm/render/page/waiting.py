"""Waiting for what the request names, once the page has settled."""

from farm.render.page.work import Work


def wait(work: Work) -> None:
    if work.options.wait_for:
        work.page.wait(work.options.wait_for)
        # What the page did meanwhile may have brought images, fonts and frames.
        work.settling.resume()
