"""An option of a conversion is one field: what is added to the source of the requests alone is there everywhere else."""

import json
import subprocess
import sys
from pathlib import Path

from edgeq.demo import demo_files

_BEFORE = "    calibrator: str | None = option(\n"
_FIELD = '    dither: int | None = option("How much noise.", least=1)\n'

_SEES = """
import sys, importlib.util
from pathlib import Path

name, before, field = "edgeq.request.conversion_options", sys.argv[1], sys.argv[2]
spec = importlib.util.find_spec(name)
source = Path(spec.origin).read_text()
assert source.count(before) == 1
module = importlib.util.module_from_spec(spec)
sys.modules[name] = module
exec(compile(source.replace(before, field + before), spec.origin, "exec"), module.__dict__)

import inspect, json
import click
import edgeq
from edgeq import catalog
from edgeq.cli.main import cli
from edgeq.conversion.order import order_of
from edgeq.errors import BundleRefused, TargetRefused
from edgeq.request import requests
from edgeq.request.finished_bundle import require_nothing_decided
from edgeq.request.settled import settled
from edgeq.workflow.deploy import deploy

def key(**options):
    return order_of(settled(requests.ConvertRequest(sys.argv[3], **options)), catalog.target("rpi4"), {}, {}).key

def said(error, does):
    try:
        does()
    except error as refused:
        return [str(refused), *refused.details]

Path("edgeq.toml").write_text("dither = 5")
Path("wrong.toml").write_text("dither = 0")
command = cli.get_command(click.Context(cli), "deploy")
print(json.dumps({
    "command line": [p.opts for p in command.params if p.name == "dither"],
    "python": [str(inspect.signature(f).parameters["dither"]) for f in (edgeq.convert, edgeq.deploy)],
    "refused": said(TargetRefused, lambda: edgeq.convert(sys.argv[3], dither=0)),
    "edgeq.toml": settled(requests.ExportRequest(sys.argv[3], output="x.onnx", project="edgeq.toml")).dither,
    "wrong edgeq.toml": said(TargetRefused, lambda: edgeq.convert(sys.argv[3], project="wrong.toml")),
    "keys": [key(), key(dither=1), key(dither=2), key(dither=2)],
    "decided": said(BundleRefused, lambda: deploy("finished.edgeq", target="local", dither=2)),
}))
"""


def test_an_option_that_is_added_as_a_field_is_there_everywhere(tmp_path: Path) -> None:
    model, _ = demo_files()
    done = subprocess.run(
        [sys.executable, "-c", _SEES, _BEFORE, _FIELD, str(model)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["command line"] == [["--dither"]]
    assert seen["python"] == ["dither: int | None = None"] * 2
    assert seen["refused"] == ["dither: 0 is not at least 1"]
    assert seen["edgeq.toml"] == 5
    assert seen["wrong edgeq.toml"][1:] == ["dither: 0 is not at least 1"]
    first, second, third, again = seen["keys"]
    assert len({first, second, third}) == 3 and third == again and "" not in seen["keys"]
    assert seen["decided"] == ["finished.edgeq is a finished bundle: --dither has no effect on it"]
