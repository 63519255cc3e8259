"""deploy_as_service(): a deployment whose device goes on measuring by itself.

The model is converted and judged first, so that a failed gate leaves the device untouched; then the service is
installed, which settles where edgeq's files live there; then the finished bundle is brought.
"""

from typing import Any, Unpack

from edgeq.nouns.data import DataUse
from edgeq.nouns.device import Facts
from edgeq.nouns.fidelity import Fidelity
from edgeq.nouns.model import Model
from edgeq.nouns.plan import Plan
from edgeq.workflow.deploy import Deployment, deploy
from edgeq.workflow.options import DeployOptions, of_delivery
from edgeq.workflow.service import install_service
from edgeq.workflow.session import Login
from edgeq.workflow.tell import Tell, silence

_TOLD_BEFORE = (Facts, Model, Plan, DataUse, Fidelity)


def deploy_as_service(
    model: str,
    *,
    target: str = "local",
    login: Login = Login(),  # noqa: B008  (frozen)
    root: str | None = None,
    dry_run: bool = False,
    tell: Tell = silence,
    **options: Unpack[DeployOptions],
) -> Deployment:
    """deploy() and install_service() in one; the keywords are deploy()'s. Raises what these raise."""
    told: list[Any] = []

    def first(noun: Any) -> None:
        told.append(noun)
        tell(noun)

    rehearsed = deploy(model, target=target, login=login, root=root, dry_run=True, tell=first, **options)
    tell(install_service(target=target, login=login, root=root, dry_run=dry_run, tell=tell))
    if dry_run:
        return rehearsed

    def rest(noun: Any) -> None:
        if not isinstance(noun, _TOLD_BEFORE) and noun not in told:
            tell(noun)

    made = str(rehearsed.conversion.path)
    return deploy(made, target=target, login=login, root=root, tell=rest, **of_delivery(options))
