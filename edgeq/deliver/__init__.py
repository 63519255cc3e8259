"""Everything between this machine and a device: what a command of edgeq/workflow does there, and what it asks.

session            a login, the facts of the device, the target as it is there
deploy_plan        what a deployment would change: decided from facts, printed by --dry-run
apply              carries the plan out; race.judge and report/choose.py decide what goes live
candidate_filter   which candidates do not go, and why; preflight has the rules of memory, disk and target
runtimes           the wheels that a device can have; provision fetches them, wheel_upload and push send files
measure            a job done by the device's service, or over the login; jobs has both ends
activate           what is live changes here and nowhere else; lock keeps other hosts out
agent_link         one call of the agent; device_answer and answer_rules check what it says
service/           the agent as a systemd service
"""
