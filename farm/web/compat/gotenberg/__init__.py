"""gotenberg 8: its six Chromium routes, `/version` and `/`, with its error messages.

`fields` declares the form's fields, and `values` and `objects` parse them. `pages` makes a request
from a form, with `options`, `files` and `templates`. `pdfs` and `splitting` split PDFs. `errors`
translates errors, `webhooks` sends results to a URL, and `routes` answers.

Source: https://github.com/gotenberg/gotenberg, and its `test/integration/features`.
"""

from collections.abc import Mapping

from farm.markdown import Converter
from farm.web.compat.farm import Farm
from farm.web.compat.gotenberg import pages
from farm.web.compat.gotenberg.fields import mapped
from farm.web.compat.gotenberg.routes import (
    MISSING,
    FormResource,
    IconResource,
    MissingResource,
    RootResource,
    VersionResource,
)
from farm.web.compat.table import Tables
from farm.web.routes import Resource

TABLES: Tables = {"gotenberg": tuple(mapped())}


def resources(farm: Farm) -> Mapping[str, Resource]:
    """gotenberg's routes, by their URI templates."""
    convert = Converter().convert_part
    found: dict[str, Resource] = {
        "/": RootResource(),
        "/version": VersionResource(),
        "/favicon.ico": IconResource(),
        **{template: MissingResource(sentence) for template, sentence in MISSING.items()},
    }
    for kind in ("convert", "screenshot"):
        is_pdf = kind == "convert"
        reads = {
            "html": pages.of_html(is_pdf),
            "url": pages.of_url(is_pdf),
            "markdown": pages.of_markdown(is_pdf, convert),
        }
        for name, read in reads.items():
            found[f"/forms/chromium/{kind}/{name}"] = FormResource(farm, read)
    return found
