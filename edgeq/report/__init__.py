"""What measurements mean: compared, judged, shown. `edgeq.report(...)`, the function, is edgeq/workflow/report.py."""

from edgeq.also_a_function import also_a_function

also_a_function(__name__, "edgeq.workflow.report", "report")
