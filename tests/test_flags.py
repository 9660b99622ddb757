"""The flags of `farm render`: every field of a request has one, and says what its JSON would."""

from typing import Any

import click
import pytest
from click.testing import CliRunner

from farm.cli import render
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
        Flag(name, field, "some", of_options=name != "isSo") for name, field in FIELDS.items()
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
        assert len(group.options) == section.count("\n  --")
    flags = [param for param in render.params if isinstance(param, Flag)]
    assert {flag.field for flag in flags if flag.of_options} == set(properties("RenderOptions"))
    assert len({flag.name for flag in flags}) == len(flags)


def test_help_has_the_sentence_the_unit_and_the_default() -> None:
    context = click.Context(render)
    flag = Flag("howFar", INTEGER, "some", of_options=True)
    assert flag.get_help_record(context) == (
        "--how-far INTEGER",
        "How far.  [pixels; default: 5]",
    )
