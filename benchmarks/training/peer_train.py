"""Runs in a peer's environment: trains ResNet-20 as edgeq does, with the peer's quantizers, and exports it.

    python peer_train.py JOB.json

The same batches, flips and shifts, teacher, loss, schedule and choice of the best as `edgeq finetune`, by the files of edgeq/train that need
torch and numpy alone; edgeq is not installed there. Of the peer's settings (optimizer, learning rate) the one whose loss on the validation
images is less after few training images is taken. Writes start.onnx, trained.onnx and outputs.npz, those of the torch networks on the test
images, into the job's folder; what happened is the last line of stdout, as JSON.
"""

import json
import math
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from benchmarks.training.peer_step import peer_module
from edgeq.train.augment import Augmentation
from edgeq.train.batches import Batch, Batches, TrainingData, training_data
from edgeq.train.losses import Loss
from edgeq.train.schedule import CosineSchedule
from tests.models.resnet_cifar import resnet20

_CALIBRATE = 200
_FREEZE = 0.85  # of the steps, after which norms keep their statistics: as edgeq/train/training.py has it


@dataclass(frozen=True)
class Images:
    """`x` float32 [n, 3, 32, 32]."""

    x: np.ndarray
    labels: np.ndarray

    @property
    def count(self) -> int:
        return len(self.x)

    def __getitem__(self, i: int) -> tuple[np.ndarray, ...]:
        return (self.x[i : i + 1],)


@dataclass(frozen=True)
class Course:
    """What is the same for every setting of a peer."""

    peer: Any
    teacher: nn.Module
    data: TrainingData
    loss: Loss

    def trained(self, net: nn.Module, setting: tuple[str, float], epochs: float) -> float:
        """Leaves the best of all evaluations in `net`, the first of which is before any step, and returns its loss."""
        steps = math.ceil(epochs * self.data.train.steps)
        every = max(self.data.train.steps // 2, 1)
        name, rate = setting
        schedule = CosineSchedule(rate, max(steps, 1), warmup=steps // 20)
        optimizer = _optimizer(name, net, rate)
        best, least = _copy(net), self.validated(net)
        frozen = math.ceil(steps * _FREEZE)
        for step, batch in enumerate(_batches(self.data.train, steps)):
            if step % every == 0 or step == frozen:
                self.peer.set_training(net, True)
                if step >= frozen:
                    self.peer.freeze_norms(net)
            for group in optimizer.param_groups:
                group["lr"] = schedule.at(step)
            self._step(net, optimizer, batch)
            if (step + 1) % every == 0 or step + 1 == steps:
                now = self.validated(net)
                print(
                    f"{name} {rate:g}: step {step + 1} of {steps}, loss {now:.4f}",
                    file=sys.stderr,
                    flush=True,
                )
                if now < least:
                    best, least = _copy(net), now
        net.load_state_dict(best)
        self.peer.set_training(net, False)
        return least

    def _step(self, net: nn.Module, optimizer: torch.optim.Optimizer, batch: Batch) -> None:
        with torch.no_grad():
            wanted = self.teacher(*batch.inputs)
        value = self.loss((net(*batch.inputs),), (wanted,), batch.labels)
        optimizer.zero_grad(set_to_none=True)
        value.backward()
        optimizer.step()

    def validated(self, net: nn.Module) -> float:
        self.peer.set_training(net, False)
        total = 0.0
        with torch.no_grad():
            for batch in self.data.validation.in_order():
                value = self.loss((net(*batch.inputs),), (self.teacher(*batch.inputs),), batch.labels)
                total += len(batch.positions) * float(value)
        return total / self.data.validation.count

    def on_fewer(self, images: int) -> "Course":
        train = self.data.train
        return replace(
            self, data=replace(self.data, train=replace(train, positions=train.positions[:images]))
        )


def main() -> None:
    job = json.loads(Path(sys.argv[1]).read_text())
    torch.set_num_threads(job["threads"])
    torch.manual_seed(job["seed"])
    print(json.dumps(run(job)))


def run(job: dict[str, Any]) -> dict[str, Any]:
    into, checkpoint, peer = Path(job["folder"]), Path(job["checkpoint"]), peer_module(job["peer"])
    images, test = np.load(job["train"]), torch.from_numpy(np.load(job["test"])["x"])
    samples = Images(images["x"], images["labels"])
    data = training_data(
        samples,
        size=job["batch"],
        seed=job["seed"],
        augmentation=Augmentation(flip=True, crop=job["crop"]),
    )
    course = Course(
        peer, float_resnet20(checkpoint), data, Loss(0, 1, job["temperature"], job["label_share"])
    )
    net = peer.calibrated(
        float_resnet20(checkpoint), job["weight_bits"], job["activation_bits"], _few(data.train)
    )
    outputs, errors = {"start": _outputs(peer, net, test)}, {}
    start = _copy(net)
    setting, tried = _chosen(course.on_fewer(job["trial_images"]), net, start, peer.SETTINGS[job["bits"]])
    began, cpu = time.monotonic(), time.process_time()
    course.trained(net, setting, job["epochs"])
    took = {"wall_s": time.monotonic() - began, "cpu_s": time.process_time() - cpu}
    outputs["trained"] = _outputs(peer, net, test)
    for name in ("trained", "start"):
        if name == "start":
            net.load_state_dict(start)
        try:
            peer.export(net, test[:1], into / f"{name}.onnx")
        except Exception as error:  # whatever the exporter raises is a finding of its own
            errors[name] = f"{type(error).__name__}: {str(error).strip().splitlines()[0]}"
    np.savez(into / "outputs.npz", **outputs)
    return {"setting": _words(setting), "tried": tried, "errors": errors, **took}


def _chosen(
    course: Course, net: nn.Module, start: dict[str, Tensor], settings: tuple[tuple[str, float], ...]
) -> tuple[tuple[str, float], dict[str, float]]:
    """And the loss of each."""
    losses = {}
    for setting in settings if len(settings) > 1 and course.data.train.count else ():
        losses[setting] = course.trained(net, setting, 1.0)
        net.load_state_dict(start)
    return min(losses, key=losses.__getitem__, default=settings[0]), {
        _words(s): loss for s, loss in losses.items()
    }


def _words(setting: tuple[str, float]) -> str:
    return f"{setting[0]} {setting[1]:g}"


def _optimizer(name: str, net: nn.Module, rate: float) -> torch.optim.Optimizer:
    learned = [p for p in net.parameters() if p.requires_grad]
    return torch.optim.SGD(learned, rate, momentum=0.9) if name == "SGD" else torch.optim.Adam(learned, rate)


def _batches(train: Batches, steps: int) -> Iterator[Batch]:
    for step in range(steps):
        epoch, first = divmod(step, train.steps)
        if first == 0:
            batches = train.epoch(epoch)
        yield next(batches)


def _few(train: Batches) -> Tensor:
    """Evenly spaced ones of those that are trained on."""
    places = np.linspace(0, train.count - 1, min(_CALIBRATE, train.count)).astype(np.int64)
    return train.stored.at(train.positions[places])[0]


def float_resnet20(checkpoint: Path) -> nn.Module:
    found = torch.load(checkpoint, map_location="cpu", weights_only=True)
    stored = found.get("state_dict", found)
    net = resnet20()
    net.load_state_dict({name.removeprefix("module."): value for name, value in stored.items()})
    return net.eval()


def _outputs(peer: Any, net: nn.Module, x: Tensor) -> np.ndarray:
    peer.set_training(net, False)
    with torch.no_grad():
        return torch.cat([net(part) for part in x.split(100)]).numpy()


def _copy(net: nn.Module) -> dict[str, Any]:
    return {
        name: value.clone() if isinstance(value, Tensor) else value
        for name, value in net.state_dict().items()
    }


if __name__ == "__main__":
    main()
