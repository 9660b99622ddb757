"""The command line `farm`: the names of its commands, and the modules that implement them.

It is a composition root, which the script `farm` calls in the main thread.
"""

from importlib import import_module
from typing import Any, NamedTuple, NoReturn

import click
from click.shell_completion import CompletionItem

import farm


class Entry(NamedTuple):
    """A command: its module in `farm.commands`, and its line in the help."""

    module: str
    help: str
    #: The exit code if the command cannot start.
    exit_code: int = 1


#: The commands in the order of the help. A module is imported when its command is called, so that
#: `farm render --farm URL` needs neither a browser nor the server's packages.
COMMANDS = {
    "serve": Entry("serving", "Serve the HTTP API, and do its jobs."),
    "worker": Entry("serving", "Render the jobs of the queue."),
    "dashboard": Entry("serving", "Serve the dashboard of the job queue."),
    "render": Entry("render", "Render pages: one to a file, or many to a folder."),
    "diff": Entry("diff", "Compare two pages, or pictures, pixel by pixel.", 2),
    "link": Entry("link", "Print a signed link to a render of a page."),
    "mcp": Entry("mcp", "Serve tools for agents (Model Context Protocol)."),
    "plan": Entry("plan", "Say how many machines a load needs."),
    "doctor": Entry("doctor", "Look at everything that the farm needs."),
    "settings": Entry("settings", "Print the table of settings."),
    "contract": Entry("contract", "Write what docs/ and the client say of requests."),
    "completion": Entry("completion", "Print a script that completes commands in a shell."),
}


class LazyGroup(click.Group):
    """A group that imports a command's module when the command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        try:
            module = import_module(f"farm.commands.{COMMANDS[cmd_name].module}")
        except ModuleNotFoundError as exc:
            _raise_lacking(cmd_name, exc)
        command: click.Command = getattr(module, cmd_name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as exc:
            _raise_lacking(ctx.invoked_subcommand, exc)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in COMMANDS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        names = [name for name in COMMANDS if name.startswith(incomplete)]
        commands = [CompletionItem(name, help=COMMANDS[name].help) for name in names]
        return [*commands, *click.Command.shell_complete(self, ctx, incomplete)]


def _raise_lacking(command: str | None, exc: ModuleNotFoundError) -> NoReturn:
    """Raise an error that says what to install, if a package of the server is missing."""
    name = (exc.name or "").partition(".")[0]
    if name in ("", farm.__name__):
        raise exc
    failure = click.ClickException(
        f"farm {command} needs the package {name}: pip install 'render-farm[server]'"
    )
    failure.exit_code = COMMANDS[command].exit_code if command in COMMANDS else 1  # type: ignore[misc]
    raise failure from exc


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
    main()
