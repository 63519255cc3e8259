"""edgeq.toml: written by `edgeq init`, read by every command, wrong ones refused with all that is wrong."""

from pathlib import Path

import pytest

from edgeq.errors import TargetRefused
from edgeq.nouns.project import Place
from edgeq.request.project import Project, project_text, read_project, without_another_model


def test_what_init_writes_is_what_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    project = Project(
        {
            "model": "net.onnx",
            "name": "net",
            "data": "calib.npz",
            "calibrate": 100,
            "shape": {"x": [1, 3, 8, 8]},
            "max_drop": 0.5,
        },
        {"rpi4": Place(host="pi@10.0.0.5", port=2222, root="/mnt/edgeq")},
    )
    Path("edgeq.toml").write_text(project_text(project))
    assert read_project(Path("edgeq.toml")) == project


def test_every_problem_is_named_at_once(tmp_path: Path) -> None:
    path = tmp_path / "edgeq.toml"
    path.write_text(
        'model = 5\nmodle = "x"\ncalibrate = "many"\n'
        "[gates]\nmax_drop = 'a'\nmin = 1\n"
        "[targets.rpi9]\nhost = 'pi@x'\n[targets.rpi4]\nhost = 5\nuser = 'pi'\n"
    )
    with pytest.raises(TargetRefused) as refused:
        read_project(path)
    said = "\n".join(refused.value.details)
    for key in (
        "model:",
        "modle: unknown",
        "calibrate:",
        "gates.max_drop",
        "gates",
        "targets.rpi9",
        "targets.rpi4",
    ):
        assert key in said
    assert len(refused.value.details) == 8


def test_values_out_of_their_range_are_named_at_once(tmp_path: Path) -> None:
    path = tmp_path / "edgeq.toml"
    path.write_text(
        "name = 'a/b'\ncalibrate = -4\n[shapes]\nx = [1, 0]\n"
        "[gates]\nmax_drop = -5\nmin_agreement = 500\nmin_sqnr_db = nan\n[targets.rpi4]\nport = 99999\n"
    )
    with pytest.raises(TargetRefused, match="7 problems") as refused:
        read_project(path)
    assert refused.value.details == (
        "name: 'a/b' becomes a folder: letters, digits and . _ + - only, at most 128, beginning with a letter or digit",
        "calibrate: -4 is not at least 1",
        "shapes: x: [1, 0] has a dimension that is no whole number above 0, or none",
        "gates.max_drop: -5 is not at least 0",
        "gates.min_agreement: 500 is not between 0 and 100",
        "gates.min_sqnr_db: nan is not a finite number",
        "targets.rpi4.port: 99999 is not between 1 and 65535",
    )


def test_what_belongs_to_the_projects_own_model_is_not_used_for_another(tmp_path: Path) -> None:
    project = Project(
        {"model": "net.py:resnet20", "weights": "w.pt", "name": "prod", "data": "d.npz", "max_drop": 0.5}
    )
    other, said = without_another_model(project, "other.onnx")
    assert other.options == {"model": "net.py:resnet20", "data": "d.npz", "max_drop": 0.5}
    assert said == (
        "edgeq.toml describes net.py:resnet20, not other.onnx; not used from it: name, weights; used: data, gates"
    )
    assert without_another_model(project, f"{Path.cwd()}/net.py:resnet20") == (project, "")


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    path = tmp_path / "edgeq.toml"
    path.write_text(
        'model = "net.py:build"\nweights = "w.pt"\ndata = "/abs/x.npz"\n'
        '[targets.local]\nroot = "edgeq"\n[targets.rpi4]\nroot = "~/edgeq"\nidentity = "keys/pi"\n'
    )
    project = read_project(path)
    assert project.targets["local"].root == f"{tmp_path}/edgeq"
    assert (project.targets["rpi4"].root, project.targets["rpi4"].identity) == (
        "~/edgeq",
        f"{tmp_path}/keys/pi",
    )
    assert project.model == f"{tmp_path}/net.py:build"
    assert project.options["weights"] == f"{tmp_path}/w.pt"
    assert project.options["data"] == "/abs/x.npz"


def test_a_module_is_no_path(tmp_path: Path) -> None:
    (tmp_path / "edgeq.toml").write_text('model = "package.module:build"\n')
    assert read_project(tmp_path / "edgeq.toml").model == "package.module:build"


def test_a_file_that_is_no_toml_says_where(tmp_path: Path) -> None:
    (tmp_path / "edgeq.toml").write_text("model = \n")
    with pytest.raises(TargetRefused, match="is not TOML.*line 1"):
        read_project(tmp_path / "edgeq.toml")


def test_a_target_file_of_ones_own_can_be_a_key(tmp_path: Path) -> None:
    project = Project({"model": "/net.onnx"}, {"./boards/my board.toml": Place(host="pi@x")})
    (tmp_path / "edgeq.toml").write_text(project_text(project))
    assert read_project(tmp_path / "edgeq.toml").targets == project.targets
