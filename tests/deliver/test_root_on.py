"""Where edgeq's folder is, as people write it, on this machine and on a device."""

from pathlib import Path

import pytest

from edgeq import catalog
from edgeq.deliver.session import Login, root_on
from edgeq.demo import demo_files
from edgeq.errors import TargetRefused
from edgeq.nouns.job import Limits
from edgeq.workflow.deploy import deploy
from edgeq.workflow.doctor import doctor
from edgeq.workflow.status import status

LOCAL, RPI4 = catalog.target("local"), catalog.target("rpi4")
THERE = Login(host="pi@10.0.0.5")
ONE_ROUND = Limits(seconds=1.0, min_rounds=1, max_rounds=1, block_ms=1.0, warmup_runs=1)


def test_a_relative_root_on_this_machine_is_below_the_current_folder(
    own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model, data = (str(path) for path in demo_files())

    done = deploy(model, data=data, name="digits", root="edge/q", limits=ONE_ROUND, store="s.db")

    assert done.app is not None and done.app.path == str(tmp_path / "edge/q/apps/digits/current")
    assert Path(done.app.path).exists()
    found = status(root="edge/q", store="s.db").status
    assert found is not None and found.root == str(tmp_path / "edge/q")


def test_on_a_device_a_root_is_whole_or_below_the_login_s_home() -> None:
    assert root_on(THERE, None, RPI4) is None
    assert root_on(THERE, "/mnt/ssd/edgeq", RPI4) == "/mnt/ssd/edgeq"
    assert root_on(THERE, "~/edgeq", RPI4) == "~/edgeq"
    with pytest.raises(TargetRefused) as refused:
        root_on(THERE, "edge/q", RPI4)
    assert (
        str(refused.value)
        == "the root 'edge/q' on pi@10.0.0.5 is neither absolute nor below the login's home"
    )
    assert "--root '~/edge/q'" in str(refused.value.remedy)


def test_every_command_says_so_before_it_connects() -> None:
    with pytest.raises(TargetRefused, match="neither absolute"):
        status(target="rpi4", login=THERE, root="edge/q")
    found = doctor(target="rpi4", login=THERE, root="edge/q").findings[-1]
    assert (found.level, "neither absolute" in found.what) == ("problem", True)


def test_home_and_dots_on_this_machine(
    own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert root_on(Login(), "~/x", LOCAL) == f"{own_home}/x"
    assert root_on(Login(), "./x", LOCAL) == f"{tmp_path}/x"
