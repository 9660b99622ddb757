"""Pages of which a part never comes: they are captured without it, at most some seconds late."""

from tests.field.case import (
    BOX,
    GOLD_DOC,
    at,
    both,
    by_url,
    doc,
    done,
    done_with,
    frame,
    image,
    printed,
)
from tests.field.outcome import Fails, either, shows

_LIME = shows("lime")
_GOLD = shows("lime", "gold")
#: The parser does not come to the end of the document.
_NOT_PARSED = either(_LIME, Fails("render_timeout"))
#: Nothing is drawn.
_NOT_DRAWN = either(_LIME, shows("white"), Fails("render_timeout"))
_FACE = "@font-face { font-family: F; src: url($site/hold) }"

IMAGES = [
    *both("image-never", done("<img src=$site/hold>")),
    *both("image-never-on-load", done_with("onload = () => add('img', { src: '$site/hold' })")),
    *both("image-half", done("<img src=$site/half_image>")),
    *both("lazy-image-never", done("<img loading=lazy src=$site/hold width=9 height=9>")),
    *both(
        "image-never-beside-others",
        done(f'<img src=$site/hold><img style="{BOX}" src="{image()}">'),
        _GOLD,
    ),
    *both("background-never", done(f"<div style='{BOX};background:url($site/hold)'></div>")),
    *both("video-never", done("<video src=$site/hold></video>")),
    *both("object-never", done("<object data=$site/hold></object>")),
]

FRAMES = [
    *both("frame-never", done(frame("$site/hold"))),
    *both("frame-never-of-other-site", done(frame("$other/hold"))),
    *both("frame-never-on-load", done_with("onload = () => add('iframe', { src: '$site/hold' })")),
    *both("lazy-frame-never", done(frame("$site/hold", "loading=lazy"))),
    *both("frame-half", done(frame(doc(GOLD_DOC, route="half_doc"))), _GOLD),
    *both(
        "frame-half-of-other-site",
        done(frame(doc(GOLD_DOC, "$other", route="half_doc"))),
        _GOLD,
    ),
    *both(
        "frame-with-image-never",
        done(frame(doc(f"{GOLD_DOC}<img src=$site/hold>", "$other"))),
        _GOLD,
    ),
]

FONTS = [
    *both(
        "font-never",
        done_with(
            "const face = new FontFace('F', 'url($site/hold)');"
            "document.fonts.add(face); face.load()"
        ),
    ),
    *both("font-never-in-css", done(f"<style>{_FACE} p {{ font-family: F }}</style><p>text</p>")),
]

SCRIPTS = [
    *both("script-never-async", done("<script async src=$site/hold></script>")),
    *both(
        "script-never-by-script",
        done_with("onload = () => add('script', { src: '$site/hold' })"),
    ),
    *both(
        "style-never-by-script",
        done_with("onload = () => add('link', { rel: 'stylesheet', href: '$site/hold' })"),
    ),
    *both("style-never-preloaded", done("<link rel=preload as=style href=$site/hold>")),
    *both("script-never-defer", done("<script defer src=$site/hold></script>"), _NOT_PARSED),
    *both("module-never", done("<script type=module src=$site/hold></script>"), _NOT_PARSED),
    *both("script-never-last", done("<p>text</p><script src=$site/hold></script>"), _NOT_PARSED),
    *both(
        "script-never-in-head",
        "<!doctype html><script src=$site/hold></script><body bgcolor=lime>",
        _NOT_DRAWN,
        note="there is no body",
    ),
    *both(
        "style-never-in-head",
        "<!doctype html><link rel=stylesheet href=$site/hold><body bgcolor=lime>",
        _NOT_DRAWN,
    ),
    at("document-endless", "$site/endless_doc", _NOT_PARSED),
    at("document-half", doc(done(""), route="half_doc"), _NOT_PARSED),
]

CASES = [
    *IMAGES,
    *FRAMES,
    *FONTS,
    *SCRIPTS,
    printed(by_url("image-never", done("<img src=$site/hold>"))),
]
