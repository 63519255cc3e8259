"""An option of a conversion is one field of the requests: command line, Python, edgeq.toml, cache key and finished bundles follow
from it. Where `Options` of edgeq/quantize/ has a field of the same name, every pass sees its value.
"""

import json
import subprocess
import sys
from pathlib import Path

from edgeq.demo import demo_files

# By module: the line before which a field is added, and the field.
_ADDED = {
    "edgeq.request.conversion_options": (
        "    calibrator: str | None = option(\n",
        '    dither: int | None = option("How much noise.", least=1)\n',
    ),
    "edgeq.quantize.options": (
        "    search_tries: int | None = None\n",
        "    dither: int | None = None\n",
    ),
}

_SEES = """
import importlib.util, json, sys
from pathlib import Path

model, data, added = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
for name, (before, field) in added.items():
    spec = importlib.util.find_spec(name)
    source = Path(spec.origin).read_text()
    assert source.count(before) == 1
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    exec(compile(source.replace(before, field + before), spec.origin, "exec"), module.__dict__)

import inspect
import click
import edgeq
from edgeq import catalog
from edgeq.cli.main import cli
from edgeq.conversion.conversion_job import conversion_job
from edgeq.errors import BundleRefused, TargetRefused
from edgeq.quantize import pipelines
from edgeq.request import requests
from edgeq.request.finished_bundle import require_nothing_fixed
from edgeq.request.resolved import resolved
from edgeq.workflow.deploy import deploy

def key(**options):
    return conversion_job(resolved(requests.ConvertRequest(model, **options)), catalog.target("rpi4"), {}, {}).key

def said(error, does):
    try:
        does()
    except error as refused:
        return [str(refused), *refused.details]

def in_pass(**options):
    class Seen(BaseException):  # no failed conversion
        pass

    def run(q, context):
        raise Seen(context.options.dither)

    pipelines.run = run
    try:
        edgeq.convert(model, data=data, target="rpi4", recipe="int8_dynamic", runtime="onnxruntime", **options)
    except Seen as seen:
        return seen.args[0]

Path("edgeq.toml").write_text("dither = 5")
Path("wrong.toml").write_text("dither = 0")
command = cli.get_command(click.Context(cli), "deploy")
print(json.dumps({
    "command line": [p.opts for p in command.params if p.name == "dither"],
    "python": [str(inspect.signature(f).parameters["dither"]) for f in (edgeq.convert, edgeq.deploy)],
    "refused": said(TargetRefused, lambda: edgeq.convert(model, dither=0)),
    "edgeq.toml": resolved(requests.ExportRequest(model, output="x.onnx", project="edgeq.toml")).dither,
    "wrong edgeq.toml": said(TargetRefused, lambda: edgeq.convert(model, project="wrong.toml")),
    "keys": [key(), key(dither=1), key(dither=2), key(dither=2)],
    "decided": said(BundleRefused, lambda: deploy("finished.edgeq", target="local", dither=2)),
    "in a pass": [in_pass(), in_pass(dither=2)],
}))
"""


def test_an_option_that_is_added_as_a_field_is_there_everywhere(tmp_path: Path) -> None:
    model, data = demo_files()
    done = subprocess.run(
        [sys.executable, "-c", _SEES, str(model), str(data), json.dumps(_ADDED)],
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
    assert seen["in a pass"] == [None, 2]
    assert seen["decided"] == ["finished.edgeq is a finished bundle: --dither has no effect on it"]
