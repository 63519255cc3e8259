"""The stories of edgeq: straight lines of calls, one file each. They print nothing: what happens is told to `tell`."""

from edgeq.workflow.bench import bench
from edgeq.workflow.convert import convert
from edgeq.workflow.deploy import deploy
from edgeq.workflow.rollback import rollback

__all__ = ["bench", "convert", "deploy", "rollback"]
