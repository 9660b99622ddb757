"""Stylesheets, images and fonts that CSS asks for, late."""

from tests.field.case import BOX, both, done, done_with, image, style, waiting, waiting_for
from tests.field.outcome import Shows, shows

_GREEN = "body{background:lime!important}"
_GOLD = shows("lime", "gold")
_BACKGROUND = f"url({image(delay_s=0.4)})"
_BLOCK = f'<div id=a style="{BOX};color:gold;background:blue;font:200px/1 serif">X</div>'
#: Near the edges of the X, where no other font's has ink.
_ALL_GOLD = Shows(dict.fromkeys(((100, 10), (10, 100), (190, 100), (100, 190)), "gold"))
_FACE = "@font-face { font-family: Block; src: url($site/font?s=0.4) }"
_USED = "{ font-family: Block !important }"
_BY_CLASS = f"<style>{_FACE} .b {_USED}</style>{_BLOCK}"

_PRELOAD = (
    f'<link rel=preload as=style onload="this.rel=\'stylesheet\'" href="{style(_GREEN, 0.3)}">'
)

STYLES = [
    *both(
        "style-by-script",
        waiting_for(
            f"onload = () => add('link', {{ rel: 'stylesheet', href: '{style(_GREEN, 0.4)}' }})"
        ),
    ),
    *both("style-by-preload", waiting(_PRELOAD)),
    *both(
        "style-by-preload-on-load",
        waiting_for(f"onload = () => document.head.insertAdjacentHTML('beforeend', `{_PRELOAD}`)"),
    ),
    *both(
        "style-by-media",
        waiting(
            "<link rel=stylesheet media=print onload=\"this.media='all'\" "
            f'href="{style(_GREEN, 0.4)}">'
        ),
    ),
    *both(
        "style-imports",
        waiting_for(
            "onload = () => add('style', { textContent: \"@import '"
            + style(f"@import '{style(_GREEN, 0.2)}'", 0.2)
            + "'\" })"
        ),
    ),
]

BACKGROUNDS = [
    *both(
        "background-by-script",
        done_with(
            f"const a = add('div', {{ style: '{BOX}' }});"
            f"onload = () => a.style.backgroundImage = '{_BACKGROUND}'"
        ),
        _GOLD,
    ),
    *both(
        "background-by-class",
        done(
            f"<style>.b {{ background: {_BACKGROUND} }}</style><div id=a style='{BOX}'></div>"
            "<script>onload = () => requestAnimationFrame(() => a.className = 'b')</script>"
        ),
        _GOLD,
    ),
    *both(
        "background-of-before",
        done(
            f"<style>.b::before {{ content: ''; {BOX}; background: {_BACKGROUND} }}</style>"
            "<div id=a></div><script>onload = () => a.className = 'b'</script>"
        ),
        _GOLD,
    ),
]

FONTS = [
    *both("font-in-css", done(f"<style>{_FACE} #a {_USED}</style>{_BLOCK}"), _ALL_GOLD),
    *both(
        "font-by-script",
        done(
            f"{_BLOCK}<script>new FontFace('Block', 'url($site/font?s=0.4)').load()"
            ".then((face) => { document.fonts.add(face); a.style.fontFamily = 'Block' })</script>"
        ),
        _ALL_GOLD,
    ),
    *both(
        "font-by-script-on-load",
        done(
            f"{_BLOCK}<script>onload = () => {{ a.style.fontFamily = 'Block';"
            "document.fonts.add(new FontFace('Block', 'url($site/font?s=0.4)')) }</script>"
        ),
        _ALL_GOLD,
    ),
    *both(
        "font-by-class-on-load",
        done(
            f"{_BY_CLASS}<script>onload = () => "
            "requestAnimationFrame(() => a.className = 'b')</script>"
        ),
        _ALL_GOLD,
    ),
    *both(
        "font-after-fetch",
        done(
            f"{_BY_CLASS}<script>fetch('$site/json?s=0.3').then(() => a.className = 'b')</script>"
        ),
        _ALL_GOLD,
    ),
]

CASES = [*STYLES, *BACKGROUNDS, *FONTS]
