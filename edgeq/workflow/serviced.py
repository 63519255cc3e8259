"""deploy_as_service(): a deployment whose device goes on measuring by itself.

The model is converted and judged first, so that a failed gate leaves the device untouched; then the service is
installed, which settles where edgeq's files live there; then the finished bundle is brought.
"""

from typing import Any

from edgeq.nouns.data import DataUse
from edgeq.nouns.device import Facts
from edgeq.nouns.fidelity import Fidelity
from edgeq.nouns.model import Model
from edgeq.nouns.plan import Plan
from edgeq.nouns.results import Deployment
from edgeq.request.requests import DeployRequest
from edgeq.request.takes import keywords
from edgeq.workflow.deploy import deploy
from edgeq.workflow.service import install_service

_TOLD_BEFORE = (Facts, Model, Plan, DataUse, Fidelity)
# What is left to say once the bundle is made: how it is brought, raced and kept.
_OF_DELIVERY = ("limits", "keep", "measure_again", "store", "threads")


def deploy_as_service(asked: DeployRequest) -> Deployment:
    """deploy() and install_service() in one. Raises what these raise."""
    told: list[Any] = []

    def first(noun: Any) -> None:
        told.append(noun)
        asked.tell(noun)

    plain = keywords(asked, DeployRequest) | {"service": False}
    rehearsed = deploy(**plain | {"dry_run": True, "tell": first})
    asked.tell(install_service(**asked.place(), dry_run=asked.dry_run, tell=asked.tell))
    if asked.dry_run:
        return rehearsed

    def rest(noun: Any) -> None:
        if not isinstance(noun, _TOLD_BEFORE) and noun not in told:
            asked.tell(noun)

    delivery = {name: getattr(asked, name) for name in _OF_DELIVERY}
    return deploy(rehearsed.conversion.path, **asked.place(), tell=rest, **delivery)
