"""A device of the lab asked for its facts by the real agent, and given wheels."""

import json
from pathlib import Path

from edgeq.deliver.agent_archive import build_agent
from edgeq.nouns.delivery import WheelSet
from edgeq.nouns.device import Facts
from tests.lab.device import LabDevice


def facts_of(device: LabDevice, cache: Path) -> Facts:
    agent = build_agent(cache)
    device.run(f"cat > {agent.name}", stdin=agent.path.read_bytes())
    return Facts.from_dict(
        json.loads(device.run(f"python3 -I {agent.name} --root /home/pi/edgeq facts").stdout)
    )


def unpacked(device: LabDevice, wheels: WheelSet) -> str:
    """Each wheel in its own folder, all of them on the path, as docs/protocol.md has it; a shared numpy only once."""
    for wheel in wheels.wheels:
        folder = f"wheels/{wheel.folder}"
        if device.run(f"test -d {folder}", check=False).returncode:
            device.run(f"cat > {wheel.folder}.whl", stdin=wheel.file.read_bytes())
            device.run(f"mkdir -p {folder} && python3 -m zipfile -e {wheel.folder}.whl {folder}")
    return ":".join(f"wheels/{wheel.folder}" for wheel in wheels.wheels)
