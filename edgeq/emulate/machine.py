"""Where a candidate can be run: this machine, or a CPU that QEMU emulates on it. Says how Python is started there."""

import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from edgeq import catalog, child_python
from edgeq.deliver.agent_archive import build_agent
from edgeq.deliver.device_answer import agent_answer
from edgeq.errors import EdgeqError, TargetRefused
from edgeq.nouns.device import Facts
from edgeq.nouns.target import Target
from edgeq.nouns.verification import Emulation
from edgeq.request.tell import Tell
from edgeq.transport.base import Completed

from . import packages, qemu, sysroot
from .cpuinfo import cpuinfo

_FACTS_WITHIN_S = 120
# QEMU 7.2 crashes in numpy's loops for AVX2. numpy only holds the arrays here: runtimes choose their own kernels.
_NUMPY_BARE = {"NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4"}


@dataclass(frozen=True)
class Machine:
    """`python` are the words that start Python there; `emulation` is None for this machine itself.

    `target` is set where the runtimes have to be installed, as on a device; else those installed beside edgeq serve.
    `environment` is what Python needs there beside this process's own.
    """

    python: tuple[str, ...]
    agent: Path
    cache: Path
    emulation: Emulation | None = None
    target: Target | None = None
    environment: Mapping[str, str] = field(default_factory=dict)

    def python_path(self, runtime: str, tell: Tell) -> tuple[Path, ...]:
        """What goes on sys.path for `runtime`; see packages.python_path for what it raises."""
        if self.target is None:
            return ()
        return packages.python_path(runtime, self.facts, self.target, self.cache, tell)

    @cached_property
    def facts(self) -> Facts:
        """What the agent says of this machine. Raises TargetRefused where Python does not even start there."""
        words = child_python.isolated(self.python, self.agent, "--root", self.cache, "facts")
        try:
            done = subprocess.run(
                words,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_FACTS_WITHIN_S,
                env={**os.environ, **self.environment},
            )
            said = Completed(done.returncode, done.stdout, done.stderr)
            facts: Facts = agent_answer(said, "facts", "the emulator")
        except (EdgeqError, subprocess.TimeoutExpired) as error:
            details = getattr(error, "details", ()) or (str(error),)
            raise TargetRefused(
                f"{self.python[-1]} does not run under {self.emulation.emulator if self.emulation else 'Python'}",
                "is the root file system of the target's architecture, and whole?",
                details=details,
            ) from None
        return facts


def this_machine(cache: Path) -> Machine:
    return Machine((sys.executable,), build_agent(cache).path, cache)


def _instead_of(target: Target) -> str:
    """The shipped targets that QEMU emulates, of the same architecture where there are some."""
    known = [catalog.target(name) for name in catalog.target_names()]
    possible = [t for t in known if t.cpu.qemu is not None]
    alike = [t for t in possible if t.cpu.arch == target.cpu.arch] or possible
    names = ", ".join(t.name for t in alike)
    return f"--emulate takes another target of that architecture: {names}; or cpu.qemu in a target file names a CPU"


def emulated(target: Target, *, rootfs: Path | None, scratch: Path, cache: Path) -> Machine:
    """The target's CPU on this machine. Of this machine's own architecture it runs edgeq's Python and packages; another
    one needs a file system, `rootfs` or the one in `cache`, and gets its runtimes from the locks. `scratch` has to stay
    as long as the machine is used. Raises TargetRefused and ExtraMissing.
    """
    cpu = target.cpu.qemu
    if cpu is None:
        raise TargetRefused(f"target {target.name} names no CPU that QEMU emulates", _instead_of(target))
    program = qemu.find(target.cpu.arch)
    starts: tuple[str, ...] = (str(program.path), "-cpu", cpu)
    agent = build_agent(cache).path
    environment = _NUMPY_BARE if target.cpu.arch == "x86_64" else {}
    if target.cpu.arch == platform.machine() and rootfs is None:
        shown = Emulation(
            target.name, cpu, str(program), f"Python {platform.python_version()} of this machine"
        )
        return Machine((*starts, sys.executable), agent, cache, shown, environment=environment)
    root = sysroot.find(target.cpu.arch, rootfs, cache)
    sysroot.lay(root, scratch / "prefix", _cpuinfo(target, cpu))
    python = (*starts, "-L", str(scratch / "prefix"), str(sysroot.python_of(root)))
    shown = Emulation(target.name, cpu, str(program), str(root))
    return Machine(python, agent, cache, shown, target, environment)


def _cpuinfo(target: Target, cpu: str) -> str | None:
    """For as many cores as this machine has: /sys, which stays this machine's, counts these."""
    if target.cpu.arch == "x86_64":
        return None  # there runtimes ask the CPU itself
    bits = 32 if target.cpu.arch == "armv7l" else 64
    return cpuinfo(cpu, target.cpu.isa, os.cpu_count() or 1, bits=bits)
