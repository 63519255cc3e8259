"""measure(): has a device do a job, by its service where one works there, else over the login; says which."""

from dataclasses import replace

from edgeq.deliver import jobs
from edgeq.deliver.service.measure import BEGINS_S, submit_and_wait
from edgeq.deliver.session import Session
from edgeq.errors import RemoteFailed
from edgeq.nouns.job import Job
from edgeq.nouns.measurement import Measurement
from edgeq.nouns.progress import Note
from edgeq.request.tell import Tell


def measure(device: Session, token: str, job: Job, tell: Tell) -> Measurement:
    """Within the job's limits as this device bounds them, under the lock that `token` stands for, whoever does it. A service that is stopped, that works in another root or
    that does not begin is not waited for. Raises DeviceError.
    """
    limits = jobs.bounded(job.limits, len(job.entrants), emulated=device.facts.emulated is not None)
    job = replace(job, limits=limits, energy=device.target.energy)
    status = device.status()
    if status.service is None:
        return jobs.work(device.link, token, job, tell)
    if not status.service.works_in(status.root):
        tell(Note(f"measured over SSH, because the service is {status.service}"))
        return jobs.work(device.link, token, job, tell)
    measured = submit_and_wait(device.link, token, job, jobs.longest_s(job), tell)
    if measured is None:
        tell(
            Note(
                f"measured over SSH, because the service did not start within {BEGINS_S:.0f} s: "
                "`edgeq agent status` and `edgeq agent logs` say more"
            )
        )
        return jobs.work(device.link, token, job, tell)
    if not measured.runs:
        raise RemoteFailed(
            f"the service on {device.label} could not measure: {measured.error}",
            "`edgeq agent logs` says more; `edgeq agent install` mends damaged files there",
        )
    tell(Note(f"measured by the service, as user {measured.facts.user}", detail=True))
    return measured
