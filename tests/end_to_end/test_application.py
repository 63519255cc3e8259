"""The last mile: what `edgeq deploy` prints at its end runs on the lab's bare devices, and answers as the agent did there."""

import re
from collections.abc import Iterator, Sequence

import pytest

from tests.application.same_as_agent import SAME_AS_AGENT, code_of_images, hash_of_images
from tests.end_to_end.test_devices import Board, desk  # noqa: F401
from tests.lab import devices
from tests.lab.device import Kind

pytestmark = [pytest.mark.slow, pytest.mark.lab, pytest.mark.timeout(900)]

CASES = {
    "Debian 12 on arm64": (devices.ARM64, "rpi4", "3 11", ("onnxruntime", "litert")),
    "Debian 11 on arm64": (devices.BULLSEYE_ARM64, "rpi4", "3 9", ("onnxruntime", "litert")),
    "Debian 12 on armhf": (devices.ARMHF, "rpi4-32bit", "3 11", ("tflite-runtime",)),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest, desk) -> Iterator[tuple[Board, str, tuple[str, ...]]]:  # type: ignore[no-untyped-def]  # noqa: F811
    kind: Kind
    kind, target, python, runtimes = CASES[request.param]
    with devices.started(kind) as device:
        yield Board(device, target, desk), python, runtimes


def test_the_printed_lines_run_there(case: tuple[Board, str, tuple[str, ...]]) -> None:
    board, python, runtimes = case
    for runtime in runtimes:
        printed = board.text("deploy", "net.py:build", "--data", "images.npz", "--runtime", runtime, code=3)
        lines = [line.strip() for line in printed.splitlines()[-2:]]
        assert re.match(r"\{'\w+': array\(\[\[", run(board, lines)), printed
        said = run(board, [*lines, SAME_AS_AGENT]).splitlines()[-1]
        same = re.fullmatch(rf"same on (\d+) samples with {runtime} on Python {python}", said)
        assert same and int(same[1]) >= 32, said

    assert run(board, [*lines, code_of_images()]).splitlines()[-1] == hash_of_images()
    if len(runtimes) > 1:
        assert seen_by_a_running_application(board, lines) == "litert -> onnxruntime, failed: None"
    board.text("uninstall", "--everything", "--yes")
    assert board.leftovers() == ""


def run(board: Board, lines: Sequence[str]) -> str:
    """Pasted into the device's own python3."""
    return board.device.run("python3 -", stdin="\n".join(lines).encode()).stdout


FOLLOW = """
import time
before = model.contract["runtime"]
print("started", flush=True)
while model.contract["runtime"] == before:
    model(model.zeros())
print(before, "->", model.contract["runtime"] + ", failed:", model.failed)
"""


def seen_by_a_running_application(board: Board, lines: Sequence[str]) -> str:
    """The last line of one that calls the model while `edgeq rollback` makes the release before live, of another runtime."""
    code = "\n".join([*lines, FOLLOW]).encode()
    board.device.run(
        "cat > /tmp/app.py; nohup timeout 300 python3 /tmp/app.py > ~/app.out 2>&1 &", stdin=code
    )
    board.device.run("until grep started ~/app.out; do sleep 0.2; done; rm /tmp/app.py")
    board.text("rollback", "net")
    return board.device.run("until grep failed: ~/app.out; do sleep 0.2; done").stdout.splitlines()[-1]
