"""`farm completion`."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from farm.cli import main


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_one_of_the_shell_and_says_how_it_is_installed(shell: str) -> None:
    result = CliRunner().invoke(main, ["completion", shell])
    assert result.exit_code == 0
    assert f"_FARM_COMPLETE={shell}_complete" in result.output
    assert f"farm completion {shell}" in result.output.rpartition("# To have this")[2]
    program = shutil.which(shell)
    if program is not None:
        subprocess.run([program, "-n"], input=result.output, text=True, check=True)


@pytest.mark.dedicated
def test_bash_completes_commands_flags_and_values_with_spaces(tmp_path: Path) -> None:
    (tmp_path / "farm").write_text(
        f"#!/bin/sh\nexec {sys.executable} -c "
        f'\'import sys; sys.argv[0] = "farm"; from farm.cli import main; main()\' "$@"\n'
    )
    (tmp_path / "farm").chmod(0o755)
    script = rf"""
        PATH={tmp_path}:$PATH
        source <(farm completion bash)
        complete_words() {{
            COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
            _farm_completion farm
            printf '%s|' "${{COMPREPLY[@]}}"; echo
        }}
        complete_words farm com
        complete_words farm render --pdf-pap
        complete_words farm render --device 'iPad\ Mi'
    """
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "completion|",
        "--pdf-paper|--pdf-paper-width|--pdf-paper-height|",
        r"iPad\ Mini|iPad\ Mini\ landscape|",
    ]
