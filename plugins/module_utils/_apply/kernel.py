# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Everything that a host's kernel is asked and told."""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import syslog
import time
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.doubt import cannot_read
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import FindingError
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.outcome import FileChanged
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import Unreadable, known
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.abi import SYSFS
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.host import read_snapshot
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.running_kernel import read_running_kernel
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.transition import read_stalling_tasks
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.kmsg import KernelLog

if t.TYPE_CHECKING:
    from ansible_collections.openeuler.livepatch.plugins.module_utils._model.cpus import CpuAnswers
    from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
        Function,
        Snapshot,
        StallingTask,
    )
    from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.conditions import Conditions

# finit_module(2) has no wrapper in the C library. Numbers: arch/*/entry/syscalls/*.tbl and
# include/uapi/asm-generic/unistd.h, which aarch64, riscv64 and loongarch64 share.
FINIT_MODULE = {
    "x86_64": 313,
    "aarch64": 273,
    "riscv64": 273,
    "loongarch64": 273,
    "ppc64le": 353,
    "s390x": 344,
    "armv7l": 379,
}


class Kernel:
    """Everything that changes a host's kernel. Each call raises OSError with the kernel's errno."""

    def __init__(self, files: Files | None = None, waits: t.Callable[[str], None] = lambda _what: None) -> None:
        """`waits` is called with what the run waits for, before each pause."""
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._waits = waits
        self._root = files.root if files else "/"
        self.log = KernelLog()

    def files(self) -> Files:
        return Files(self._root)

    def snapshot(self) -> Snapshot:
        return read_snapshot(self.files())

    def load(self, path: str, sha256: str, parameters: str = "") -> None:
        """Insert the module at this path if it has this digest: the bytes inspected are the bytes loaded."""
        number = FINIT_MODULE.get(os.uname().machine)
        if number is None:
            raise OSError(errno.ENOSYS, "finit_module is not known for " + os.uname().machine)
        with open(self.files().path(path), "rb") as stream:
            if hashlib.sha256(stream.read()).hexdigest() != sha256:
                raise FileChanged(path)
            self._check(self._libc.syscall(number, stream.fileno(), parameters.encode("ascii"), 0))

    def load_target(self, name: str, seconds: float) -> None:
        """Load another module with its dependencies, by the program that the kernel itself would call."""
        # Here and not above: few patches need a module that is not loaded.
        from ansible_collections.openeuler.livepatch.plugins.module_utils._system import programs

        modprobe = known(self.files().text("/proc/sys/kernel/modprobe")) or "/sbin/modprobe"
        release, marks = read_running_kernel(self.files())
        # modprobe goes by what uname -r shows.
        version = ["-S", release] if marks.shown_release else []
        try:
            returned, printed = programs.run([modprobe, *version, "--", name], seconds)
        except programs.TimedOut as error:
            raise OSError(errno.ETIMEDOUT, f"modprobe {name} did not end within {seconds:.0f} s") from error
        if returned:
            raise OSError(errno.ENOENT, printed.strip())

    def unload(self, name: str) -> None:
        self._check(self._libc.delete_module(name.encode(), os.O_NONBLOCK))

    def write_enabled(self, name: str, value: bool) -> None:
        self._write(f"{SYSFS}/{name}/enabled", b"1" if value else b"0")

    def force(self, name: str) -> None:
        """End a transition although tasks are in the way (per_task). What is disabled by it can never be unloaded."""
        self._write(f"{SYSFS}/{name}/force", b"1")

    def _write(self, path: str, content: bytes) -> None:
        # A raw stream would return None for EAGAIN, which the kernel answers when a function is busy.
        descriptor = os.open(self.files().path(path), os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(descriptor, content)
        finally:
            os.close(descriptor)

    def enabled(self, name: str) -> bool | None:
        """What the kernel says of the patch; None if it does not know the patch (per_task: it is disabled)."""
        return self._flag(f"{SYSFS}/{name}/enabled")

    def transition_target(self, name: str) -> bool | None:
        """Whether the running transition of the patch enables it; None if none is running."""
        return self.enabled(name) if self._flag(f"{SYSFS}/{name}/transition") else None

    def _flag(self, path: str) -> bool | None:
        """The value; None if there is no such file. Raises FindingError if it cannot be read."""
        flag = self.files().flag(path)
        if isinstance(flag, Unreadable):
            raise FindingError(cannot_read([flag]))
        return known(flag)

    def stalling_tasks(self, enabling: bool) -> tuple[StallingTask, ...]:
        return read_stalling_tasks(self.files(), enabling)

    def conditions(self, release: str, name: str, functions: t.Iterable[Function]) -> Conditions:
        # Here and not above: only a change asks for them.
        from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.conditions import read_conditions

        return read_conditions(self.files(), release, name, functions)

    def ask_cpus(self) -> CpuAnswers:
        """What the online CPUs answer to the question whether they schedule."""
        # Here and not above: only a change asks them.
        from ansible_collections.openeuler.livepatch.plugins.module_utils._system import cpus

        return cpus.ask(self.files())

    def journal(self, line: str) -> None:
        """Leave a line in the host's log, where the administrators of the host look for it."""
        syslog.openlog("openeuler.livepatch", syslog.LOG_PID, syslog.LOG_DAEMON)
        syslog.syslog(syslog.LOG_NOTICE, line)
        syslog.closelog()

    def now(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float, waits_for: str) -> None:
        self._waits(waits_for)
        time.sleep(seconds)

    @staticmethod
    def _check(result: int) -> None:
        if result != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
