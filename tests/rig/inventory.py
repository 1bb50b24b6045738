# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes the Ansible inventory of the running machines."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import machines
import test_kernel
from cache import Entry
from machines import LOOPBACK, Machine


def inventory_path(instance: Path) -> Path:
    return instance / "inventory.yml"


def write(instance: Path, entry: Entry) -> None:
    running = machines.running_machines(instance)
    instance.mkdir(parents=True, exist_ok=True)
    new = instance / "inventory.yml.new"
    new.write_text(text(running, entry), encoding="utf-8")
    new.replace(inventory_path(instance))


def text(running: list[Machine], entry: Entry) -> str:
    """The text of the inventory in YAML. Strings are quoted as in JSON, which YAML permits."""
    lines = ["---", "all:", "  vars:"]
    lines += [f"    {name}: {json.dumps(value)}" for name, value in variables(entry).items()]
    lines.append("  children:")
    guests = [host for host in running if not host.is_builder]
    lines += group("builders", [host for host in running if host.is_builder])
    lines += group("vms", [host for host in guests if not host.release_file.exists() and not host.is_arm64])
    lines += group("arm64", [host for host in guests if host.is_arm64])
    lines += group("images", [host for host in guests if host.release_file.exists()])
    return "".join(f"{line}\n" for line in lines)


def variables(entry: Entry) -> dict[str, str]:
    return {
        "ansible_host": LOOPBACK,
        "ansible_user": "root",
        "ansible_ssh_private_key_file": str(entry.private_key),
        "ansible_ssh_common_args": shlex.join(machines.ssh_options(entry)),
        "ansible_python_interpreter": "/usr/bin/python3",
        "rig_kernel_release": entry.release,
    }


def own_variables(host: Machine) -> dict[str, str]:
    """The variables of a machine with a test kernel, or of one from another image; empty for others."""
    if host.test_kernel is not None:
        return {"rig_kernel_release": test_kernel.current_entry(host.test_kernel).release}
    if not host.release_file.exists():
        return {}
    return {
        "ansible_ssh_common_args": shlex.join(machines.image_ssh_options(host)),
        "ansible_python_interpreter": "auto_silent",
        "rig_kernel_release": host.release_file.read_text(encoding="ascii"),
    }


def group(name: str, hosts: list[Machine]) -> list[str]:
    if not hosts:
        return [f"    {name}: {{}}"]
    lines = [f"    {name}:", "      hosts:"]
    for host in hosts:
        lines += [f"        {host.name}:", f"          ansible_port: {host.port}"]
        lines += [f"          {name}: {json.dumps(value)}" for name, value in own_variables(host).items()]
    return lines
