"""A line of JSON between the agent and the child process that runs a model (agent/child.py has what each holds)."""

from typing import Any

Message = dict[str, Any]
