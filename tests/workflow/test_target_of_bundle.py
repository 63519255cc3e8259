"""A finished bundle knows what it was made for: --target need not say it again, and must not say otherwise."""

from pathlib import Path
from typing import Any

import pytest

import edgeq
from edgeq.demo import demo_files
from edgeq.errors import BundleRefused, TargetRefused
from edgeq.nouns.progress import Note
from edgeq.request.requests import BenchRequest, DeployRequest
from edgeq.request.resolved import resolved
from tests.end_to_end.command_line import edgeq as typed


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("made") / "digits.edgeq"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(place.parent / "cache"))
        edgeq.convert(demo_files()[0], target="rpi4", recipe="float", runtime="onnxruntime", output=place)
    return place


def test_a_deploy_is_for_the_bundles_target_and_says_so(bundle: Path) -> None:
    told: list[Any] = []
    with pytest.raises(TargetRefused, match="target rpi4 is a separate device: which one"):
        edgeq.deploy(bundle, tell=told.append)
    assert Note(f"target rpi4, which {bundle} was made for") in told
    with pytest.raises(BundleRefused, match="made for target rpi4, not rpi5"):
        edgeq.deploy(bundle, target="rpi5", host="pi@nowhere.invalid")
    with pytest.raises(BundleRefused, match="cannot read .*none.edgeq"):
        edgeq.deploy(bundle.with_name("none.edgeq"))


def test_the_project_file_says_where_that_target_is(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "edgeq.toml").write_text('[targets.rpi4]\nhost = "pi@ours"\nroot = "/srv/edgeq"\n')
    asked = resolved(DeployRequest(bundle, project=tmp_path / "edgeq.toml"))
    assert (asked.target, asked.host, asked.root) == ("rpi4", "pi@ours", "/srv/edgeq")


def test_a_model_and_names_are_for_this_machine(bundle: Path) -> None:
    assert resolved(DeployRequest("net.onnx")).target == "local"
    assert resolved(BenchRequest(("digits",), host="pi@ours")).target == "local"


def test_bench_measures_it_here_or_on_such_a_device_elsewhere(bundle: Path) -> None:
    assert resolved(BenchRequest((bundle,))).target == "local"
    assert resolved(BenchRequest((bundle,), host="pi@ours")).target == "rpi4"
    assert resolved(BenchRequest((bundle,), login=edgeq.Login("pi@ours"))).target == "rpi4"
    assert resolved(BenchRequest((bundle,), host="pi@ours", target="rpi5")).target == "rpi5"


def test_a_target_without_an_agent_is_said_before_anything_is_converted(tmp_path: Path) -> None:
    words = ("deploy", "net.py:build", "--weights", "my w.pt", "--data", "x.npz")
    done = typed(tmp_path, *words, "--target", "android-arm64")
    assert done.returncode == 12
    assert "no agent of edgeq runs on Android" in done.stderr
    command = (
        "edgeq export net.py:build --weights 'my w.pt' --data x.npz --target android-arm64 -o model.tflite"
    )
    assert command in done.stderr
    for on_a_device in (edgeq.status, edgeq.bench):
        with pytest.raises(TargetRefused, match="android-arm64 is for conversion only"):
            on_a_device(target="android-arm64", host="pi@nowhere.invalid")


def test_verify_emulates_the_bundles_target(tmp_path: Path) -> None:
    """QEMU has no CPU for this one, which the error names."""
    place = tmp_path / "digits.edgeq"
    edgeq.convert(demo_files()[0], target="x86-64-vnni", recipe="float", runtime="onnxruntime", output=place)
    with pytest.raises(TargetRefused, match="x86-64-vnni"):
        edgeq.verify(place)
