"""What a deployment would do, decided before anything is changed. This machine is the device."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgeq import catalog
from edgeq.deliver.deploy_plan import DeployPlan, as_with_service, plan_deployment
from edgeq.deliver.service.install import ServicePlan
from edgeq.deliver.service.unit_files import SYSTEM_ROOT
from edgeq.deliver.session import Session, session
from edgeq.demo import demo_files
from edgeq.errors import DeviceUnfit, NoSpace
from edgeq.nouns.job import Limits
from edgeq.nouns.progress import Progress
from edgeq.nouns.results import Conversion
from edgeq.request.login import Login
from edgeq.request.requests import DeployRequest
from edgeq.request.resolved import resolved
from edgeq.request.tell import silence
from edgeq.workflow.convert import convert
from edgeq.workflow.deploy import deploy
from tests.deliver.service.test_plan import BARE
from tests.deliver.service.test_unit_files import SPEC

ONE_ROUND = Limits(seconds=1.0, min_rounds=1, max_rounds=1, block_ms=1.0, warmup_runs=1)


@pytest.fixture(scope="module")
def digits() -> Conversion:
    model, data = (str(path) for path in demo_files())
    return convert(model, data=data, name="digits", recipe="int8_static", runtime="onnxruntime")


@pytest.fixture
def device(own_home: Path, tmp_path: Path) -> Iterator[Session]:
    root = tmp_path / "root"
    with session(catalog.target("local"), Login(), root=root, look_only=True, tell=silence) as found:
        yield found


def planned(device: Session, digits: Conversion, **options: Any) -> DeployPlan:
    asked = resolved(DeployRequest(digits.path, root=device.link.root, limits=ONE_ROUND, **options))
    return plan_deployment(device, digits.bundle.manifest, (), asked)


def test_a_plan_says_who_races_for_how_long_and_who_stays(device: Session, digits: Conversion) -> None:
    plan = planned(device, digits, recipe="float", keep=2, threads=1)

    assert (plan.app, plan.root, plan.before, plan.service) == ("digits", device.link.root, None, None)
    assert plan.release is not None
    assert [(e.id, e.threads) for e in plan.release.entrants] == [("onnxruntime-float", 1)]
    assert plan.release.left_out["onnxruntime-int8_static"] == "--recipe float was asked for"
    assert set(plan.release.left_out.values()) == {
        "--recipe float was asked for"
    }  # some CPUs get more candidates
    assert (plan.release.limits, plan.release.keep) == (replace(ONE_ROUND, decided=True), 2)
    assert not Path(device.link.root).exists()


def test_what_is_live_already_is_not_planned_again(
    device: Session, digits: Conversion, tmp_path: Path
) -> None:
    done = deploy(digits, root=device.link.root, limits=ONE_ROUND, store=tmp_path / "s.db")
    device = replace(device, installed=True)

    plan = planned(device, digits)
    assert (plan.before, plan.release) == (done.app, None)
    assert planned(device, digits, measure_again=True).release is not None


def test_a_service_is_planned_before_the_release(device: Session, digits: Conversion) -> None:
    plan = planned(device, digits, service=True, dry_run=True)
    assert plan.service is not None and plan.service.steps and plan.release is not None
    assert plan.service.root == plan.root == device.link.root


@pytest.mark.parametrize("copies", [True, False])
def test_a_service_in_a_root_of_its_own_is_asked_what_will_be_there(device: Session, copies: bool) -> None:
    """What it copies is in the login's root until then; else there is nothing."""
    found = replace(BARE, own_bytes=1_000_000, free_bytes=5_000_000)
    service = ServicePlan(replace(SPEC, root=SYSTEM_ROOT), found, (), copies)

    there = as_with_service(replace(device, installed=True), service)

    assert there.facts.root == SYSTEM_ROOT
    assert there.facts.root_free == (4_000_000 if copies else 5_000_000)
    assert there.link.root == (found.own if copies else SYSTEM_ROOT)
    assert there.installed == copies


def test_a_root_that_was_asked_for_is_filled_by_the_copy_too(device: Session) -> None:
    spec = replace(SPEC, root=device.link.root)
    there = as_with_service(device, ServicePlan(spec, BARE, (), copies=True))
    assert (there.link.root, there.facts.root, there.installed) == (BARE.own, device.link.root, True)
    assert as_with_service(device, ServicePlan(spec, BARE, (), copies=False)) == device


def test_a_service_that_works_elsewhere_holds_nothing_of_this_root(device: Session) -> None:
    service = ServicePlan(replace(SPEC, root="/srv/models"), BARE, (), copies=False)
    assert as_with_service(device, service) == device


def test_a_release_that_does_not_fit_is_refused_while_planning(device: Session, digits: Conversion) -> None:
    full = replace(device, facts=replace(device.facts, root_free=1_000))
    with pytest.raises(NoSpace, match="free on"):
        planned(full, digits)


@pytest.mark.skipif(Path("/run/systemd/system").exists(), reason="systemd runs on this machine")
def test_a_service_that_cannot_be_is_refused_before_anything_is_converted(device: Session) -> None:
    told: list[object] = []
    model, data = (str(path) for path in demo_files())
    with pytest.raises(DeviceUnfit, match="no systemd running"):
        deploy(model, data=data, root=device.link.root, service=True, tell=told.append)
    assert not [noun for noun in told if isinstance(noun, Progress)]
