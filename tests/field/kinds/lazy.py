"""Images and frames that a browser loads only once they are in view."""

from tests.field.case import (
    BOX,
    GOLD_DOC,
    Case,
    both,
    by_url,
    doc,
    done,
    done_with,
    frame,
    image,
    printed,
)
from tests.field.outcome import shows

_GOLD = shows("lime", "gold")
_IMAGE = f'<img loading=lazy src="{image()}" style="{BOX}">'
_INSIDE = "<!doctype html><body style='margin:0'>"


def _shadow(html: str, mode: str) -> str:
    return (
        "<div id=host></div><script>"
        f"host.attachShadow({{ mode: '{mode}' }}).innerHTML = `{html}`</script>"
    )


def _around(name: str, lazy: str) -> list[Case]:
    """The lazy thing in the page, in shadow trees, and in frames of this and of another site."""
    return [
        *both(name, done(lazy), _GOLD),
        *both(f"{name}-in-shadow-tree", done(_shadow(lazy, "open")), _GOLD),
        *both(f"{name}-in-closed-shadow-tree", done(_shadow(lazy, "closed")), _GOLD),
        *both(f"{name}-in-frame", done(frame(doc(_INSIDE + lazy))), _GOLD),
        *both(f"{name}-in-frame-of-other-site", done(frame(doc(_INSIDE + lazy, "$other"))), _GOLD),
        *both(
            f"{name}-in-shadow-tree-of-frame",
            done(frame(doc(_INSIDE + _shadow(lazy, "open"), "$other"))),
            _GOLD,
        ),
    ]


_LAZY_FRAME = frame(doc(GOLD_DOC, "$other", 0.3), "loading=lazy")

CASES = [
    *_around("lazy-image", _IMAGE),
    *_around("lazy-frame", _LAZY_FRAME),
    *_around(
        "lazy-frame-of-lazy-image", frame(doc(_INSIDE + _IMAGE, "$other", 0.1), "loading=lazy")
    )[:2],
    *both(
        "lazy-image-in-declared-shadow-tree",
        done(f"<div><template shadowrootmode=open>{_IMAGE}</template></div>"),
        _GOLD,
    ),
    *both(
        "lazy-image-after-fetch",
        done(
            "<script>fetch('$site/json?s=0.3').then(() => "
            f"document.body.insertAdjacentHTML('beforeend', `{_IMAGE}`))</script>"
        ),
        _GOLD,
    ),
    *both(
        "lazy-background",
        done(
            f"<style>#a {{ content-visibility: auto; {BOX} }}"
            f"p {{ margin: 0; height: 100%; background: url({image()}) }}</style>"
            "<div id=a><p></p></div>"
        ),
        _GOLD,
    ),
    *both(
        "lazy-image-by-observer",
        done_with(
            f"const a = add('img', {{ style: '{BOX}' }}); new IntersectionObserver(([entry]) => "
            f"{{ if (entry.isIntersecting) a.src = '{image()}' }}).observe(a)"
        ),
        _GOLD,
    ),
    *both(
        "lazy-image-far-below",
        done("<div style='height:90000px'></div><img loading=lazy src=$site/hold>"),
        shows("lime"),
        note="is not in view, and so not asked for",
    ),
    printed(by_url("lazy-image-in-frame", done(frame(doc(_INSIDE + _IMAGE))), _GOLD)),
]
