"""A Python client of a running farm. `pip install render-farm` installs it and the command line.

::

    from farm.client import Farm

    with Farm("http://127.0.0.1:3000", key="…") as farm:
        picture = farm.render(url="https://example.com/", full_page=True)
        picture.save("example.png")
        job = farm.submit(html="<h1>Invoice</h1>", format="pdf", pdf={"paper": "A5"})
        farm.download(farm.wait(job)).save("invoice.pdf")

It needs `requests`, and none of the server's packages. docs/clients.md describes it.
"""

from farm.client.errors import DeadlinePassed, NotAFarm, UnknownError, Unreachable
from farm.client.farm import Farm
from farm.client.fields import JobFields, LinkFields, RenderFields, RenderOptions, Report
from farm.client.results import Job, Render
from farm.errors import FarmError

__all__ = [
    "DeadlinePassed",
    "Farm",
    "FarmError",
    "Job",
    "JobFields",
    "LinkFields",
    "NotAFarm",
    "Render",
    "RenderFields",
    "RenderOptions",
    "Report",
    "UnknownError",
    "Unreachable",
]
