"""`status`: what is live, who holds the device, how much room there is, what was measured last."""

from dataclasses import dataclass

from edgeq.agent.apps import app_names, app_view
from edgeq.agent.layout import Root, agent_name
from edgeq.agent.lock import holder
from edgeq.agent.results import stored_results
from edgeq.agent.service import service_state
from edgeq.agent.space import free_bytes, used_bytes
from edgeq.nouns.record import Record
from edgeq.nouns.release import DeviceStatus

_LAST = 10


@dataclass(frozen=True)
class Request(Record):
    pass


def answer(request: Request, root: Root) -> DeviceStatus:
    held = holder(root)
    return DeviceStatus(
        apps=tuple(app_view(root, name) for name in app_names(root)),
        agent=agent_name(),
        root=str(root.path),
        root_free=free_bytes(root.path),
        root_used=used_bytes(root.path),
        lock=str(held) if held else None,
        service=service_state(str(root.path)),
        last_results=stored_results(root)[-_LAST:],
    )
