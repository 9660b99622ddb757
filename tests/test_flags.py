"""The flags of `farm render`: every field of a request has one, and says what its JSON would."""

from typing import Any

import click
import pytest
from click.testing import CliRunner
from pydantic.alias_generators import to_snake

from farm.commands.render import render
from farm.flags import Flag, GroupedCommand, fields_given
from farm.request.schema import Schema, option_groups, properties

STRING: Schema = {"type": "string"}
INTEGER: Schema = {"type": "integer", "unit": "pixels", "default": 5, "description": "How `far`."}
OBJECT: Schema = {"type": "object"}
FIELDS: dict[str, Schema] = {
    "someText": STRING,
    "howFar": INTEGER,
    "isSo": {"type": "boolean"},
    "oneOf": {"enum": ["a", "b"]},
    "theTexts": {"type": "array", "items": STRING},
    "theCodes": {"type": "array", "items": {"anyOf": [{"type": "integer"}, STRING]}},
    "theObjects": {"type": "array", "items": OBJECT},
    "anObject": OBJECT,
    "either": {"anyOf": [STRING, OBJECT]},
}


def given(*arguments: str) -> dict[str, Any]:
    """What a request would have, of these fields."""
    found: dict[str, Any] = {}

    def callback(**values: Any) -> None:
        found.update(fields_given(command.params, values))

    params: list[click.Parameter] = [
        Flag((name,) if name == "isSo" else ("options", name), field, "some")
        for name, field in FIELDS.items()
    ]
    command = GroupedCommand("some", params=params, callback=callback)
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 0, result.output
    return found


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ("", {}),
        ("--some-text 5", {"someText": "5"}),
        ("--how-far 5", {"howFar": 5}),
        ("--how-far 0.5", {"howFar": 0.5}),
        ("--how-far far", {"howFar": "far"}),
        ("--one-of a", {"oneOf": "a"}),
        ("--the-texts 1 --the-texts {}", {"theTexts": ["1", "{}"]}),
        ("--the-codes 404 --the-codes 5xx", {"theCodes": [404, "5xx"]}),
        ('--the-objects {"a":1} --the-objects no', {"theObjects": [{"a": 1}, "no"]}),
        ('--an-object {"a":[1]}', {"anObject": {"a": [1]}}),
        ("--an-object {", {"anObject": "{"}),
        ("--an-object 5", {"anObject": 5}),
        ('--either {"a":1}', {"either": {"a": 1}}),
        ("--either [lang]", {"either": "[lang]"}),
        ("--either 5", {"either": "5"}),
    ],
)
def test_a_flag_says_what_its_json_would(arguments: str, options: dict[str, Any]) -> None:
    assert given(*arguments.split()) == {"options": options}


def test_a_switch_is_on_off_or_not_given_and_what_is_beside_options_stays_there() -> None:
    assert given("--is-so") == {"options": {}, "isSo": True}
    assert given("--no-is-so") == {"options": {}, "isSo": False}


def test_every_option_has_a_flag_in_the_section_of_its_group() -> None:
    printed = CliRunner().invoke(render, ["--help"], terminal_width=500).output
    sections = printed.split("\n\n")
    for group in option_groups():
        section = next(s for s in sections if s.startswith(group.sentence.removesuffix(".")))
        for option in group.options:
            assert f"\n  --{to_snake(option).replace('_', '-')}" in section
    flags = [param for param in render.params if isinstance(param, Flag)]
    options = {flag.path[1] for flag in flags if flag.path[0] == "options"}
    assert options == set(properties("RenderOptions"))
    assert len({flag.name for flag in flags}) == len(flags)


def test_help_has_the_sentence_the_unit_and_the_default() -> None:
    context = click.Context(render)
    flag = Flag(("options", "howFar"), INTEGER, "some")
    assert flag.get_help_record(context) == (
        "--how-far INTEGER",
        "How far.  [pixels; default: 5]",
    )


def asked(*arguments: str, base: dict[str, Any] | None = None) -> dict[str, Any]:
    """The options that `farm render` would ask for."""
    context = render.make_context("render", ["page.html", *arguments])
    fields = fields_given(render.params, context.params, base)
    options: dict[str, Any] = fields["options"]
    return options


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ("--pdf-paper A5", {"pdf": {"paper": "A5"}}),
        ("--pdf-paper-width 10mm", {"pdf": {"paper": {"width": "10mm"}}}),
        ("--pdf-metadata-title Hello", {"pdf": {"metadata": {"title": "Hello"}}}),
        ("--no-pdf-background --pdf-scale 0.5", {"pdf": {"background": False, "scale": 0.5}}),
        ("--fail-on-status 404 --fail-on-status 5xx", {"failOn": {"status": [404, "5xx"]}}),
        ("--block-ads", {"block": {"ads": True}}),
        ("--auth-username a --auth-password 1", {"auth": {"username": "a", "password": "1"}}),
        ("--resize-width 300", {"resize": {"width": 300}}),
        # A flag of a field wins over the object's JSON, wherever it stands.
        ('--pdf-paper A5 --pdf {"paper":"A4","scale":2}', {"pdf": {"paper": "A5", "scale": 2}}),
        (
            "--wait-for-selector #a --wait-for-selector-state hidden",
            {"waitForSelector": {"selector": "#a", "state": "hidden"}},
        ),
    ],
)
def test_a_field_of_an_object_has_a_flag(arguments: str, options: dict[str, Any]) -> None:
    assert asked(*arguments.split()) == options


def test_flags_win_over_a_file_of_options_which_stays_as_it_was() -> None:
    base = {"options": {"width": 9, "pdf": {"paper": "A4", "scale": 2}}, "report": True}
    assert asked("--pdf-paper", "A5", "--height", "8", base=base) == {
        "width": 9,
        "height": 8,
        "pdf": {"paper": "A5", "scale": 2},
    }
    assert base["options"] == {"width": 9, "pdf": {"paper": "A4", "scale": 2}}


def test_a_field_of_what_is_no_object_is_told() -> None:
    with pytest.raises(click.UsageError, match=r"--pdf-paper-width .* options.pdf.paper"):
        asked("--pdf-paper", "A4", "--pdf-paper-width", "10mm")


@pytest.mark.parametrize(
    ("flag", "typed", "offered"),
    [
        ("--format", "j", ["jpeg", "jpg"]),
        ("--pdf-paper", "le", ["Letter", "Legal", "Ledger"]),
        ("--device", "ipad mini", ["iPad Mini", "iPad Mini landscape"]),
        ("--block-resources", "f", ["font", "fetch"]),
        ("--selector", "", []),
    ],
)
def test_shells_are_offered_the_values_of_a_flag(flag: str, typed: str, offered: list[str]) -> None:
    found = next(param for param in render.params if flag in param.opts)
    items = found.shell_complete(click.Context(render), typed)
    assert [item.value for item in items] == offered
