"""`farm completion`: prints a completion script for a shell, and how to install it."""

import click
from click.shell_completion import get_completion_class

PROGRAM = "farm"
#: The variable that a shell sets to ask `farm` for completions, as Click names it.
VARIABLE = "_FARM_COMPLETE"
_HOW_TO = {
    "bash": """\
# To have this in every new shell:
#   mkdir -p ~/.local/share/bash-completion/completions
#   farm completion bash > ~/.local/share/bash-completion/completions/farm
# To have it in this shell only:  source <(farm completion bash)
""",
    "zsh": """\
# To have this in every new shell, with these two lines in ~/.zshrc (the first only once):
#   autoload -Uz compinit && compinit
#   source <(farm completion zsh)
""",
    "fish": """\
# To have this in every new shell:
#   farm completion fish > ~/.config/fish/completions/farm.fish
# To have it in this shell only:  farm completion fish | source
""",
}


@click.command()
@click.argument("shell", type=click.Choice(list(_HOW_TO)))
def completion(shell: str) -> None:
    """Print a script that has SHELL complete the commands of `farm`, their flags and values.

    Its last lines say how it is installed.
    """
    kind = get_completion_class(shell)
    assert kind is not None
    script = kind(click.Group(), {}, PROGRAM, VARIABLE).source()
    if shell == "bash":
        # Bash inserts a value unquoted, so `iPhone 15` needs a backslash.
        script = script.replace("COMPREPLY+=($value)", 'COMPREPLY+=("$(printf %q "$value")")')
    click.echo(f"{script.strip()}\n\n{_HOW_TO[shell]}", nl=False)
