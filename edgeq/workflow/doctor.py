"""doctor(): looks at this machine and at a device, and says what to do about what it finds. Changes nothing."""

from edgeq import catalog
from edgeq.conversion.host_findings import host_findings
from edgeq.deliver.device_findings import device_findings
from edgeq.deliver.session import session
from edgeq.errors import EdgeqError
from edgeq.nouns.diagnosis import Diagnosis, problem
from edgeq.request.accepts import accepts
from edgeq.request.login import Login
from edgeq.request.requests import DoctorRequest


@accepts(DoctorRequest)
def doctor(request: DoctorRequest) -> Diagnosis:
    """Findings about this host, then about the device where `host` names one."""
    findings = list(host_findings())
    kind, login = catalog.target(request.kind), request.login or Login()
    if login.host is None:
        return Diagnosis(tuple(findings))
    # Without a named target any device is welcome: it is looked at as it is.
    looked_at = catalog.target("local") if kind.detect else kind
    try:
        with session(looked_at, login, root=request.root, look_only=True, tell=request.tell) as device:
            findings += device_findings(device, looked_at)
    except EdgeqError as error:
        remedy = error.remedy and error.remedy.removesuffix("Nothing was sent.").rstrip()
        findings.append(problem(login.host, error.what, remedy))
    return Diagnosis(tuple(findings))
