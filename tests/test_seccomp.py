"""The seccomp profile for containers."""

import json
from pathlib import Path
from typing import Any

PROFILE: dict[str, Any] = json.loads((Path(__file__).parents[1] / "conf/seccomp.json").read_text())
#: What Chromium's sandbox is made with, and containers may not do by default.
SANDBOX = {"clone", "clone3", "unshare", "setns", "chroot"}
#: Of those that Docker's documentation names, the ways into the kernel and out of a container.
NEVER = {
    "add_key",
    "bpf",
    "finit_module",
    "init_module",
    "keyctl",
    "kexec_load",
    "mount",
    "open_by_handle_at",
    "perf_event_open",
    "pivot_root",
    "ptrace",
    "process_vm_writev",
    "reboot",
    "setdomainname",
    "umount2",
    "userfaultfd",
}


def test_what_is_not_named_is_refused() -> None:
    assert PROFILE["defaultAction"] == "SCMP_ACT_ERRNO"
    assert {rule["action"] for rule in PROFILE["syscalls"]} == {"SCMP_ACT_ALLOW"}


def test_the_sandbox_can_be_made_and_the_kernel_is_out_of_reach() -> None:
    named = [name for rule in PROFILE["syscalls"] for name in rule["names"]]
    assert len(named) == len(set(named))
    assert set(named) >= SANDBOX
    assert not NEVER & set(named)
