"""The command line: the names of its commands, and the modules that have them."""

import sys
from importlib import import_module

import click

#: The module of each command, in the order of the help. It is imported when the command is called,
#: so that `farm render --farm URL` needs neither a browser nor the server's packages.
_COMMANDS = {
    "serve": "farm.commands.serving",
    "worker": "farm.commands.serving",
    "dashboard": "farm.commands.serving",
    "render": "farm.commands.render",
    "diff": "farm.commands.diff",
    "link": "farm.commands.link",
    "mcp": "farm.commands.mcp",
    "doctor": "farm.commands.doctor",
    "settings": "farm.commands.docs",
    "contract": "farm.commands.docs",
    "completion": "farm.commands.completion",
}


class LazyGroup(click.Group):
    """A group that imports a command's module when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = getattr(import_module(_COMMANDS[cmd_name]), cmd_name)
        return command


def _print_version(ctx: click.Context, param: click.Parameter, is_asked: bool) -> None:
    if is_asked and not ctx.resilient_parsing:
        from farm.commands.version import version_lines

        for line in version_lines():
            click.echo(line)
        ctx.exit()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Print the versions of the farm and of its Chromium.",
)
def main() -> None:
    """Turn HTML, Markdown and URLs into PNG, JPEG, WebP, AVIF and PDF."""


if __name__ == "__main__":
    sys.exit(main())
