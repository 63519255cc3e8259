"""prepare(): a model's quantized network as a torch module, for a training loop of the user's own."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeq.ingest.extras import needed
from edgeq.request.requests import FinetuneRequest
from edgeq.request.resolved import resolved
from edgeq.workflow.finetune import job_of, opened, start_of

if TYPE_CHECKING:
    from edgeq.train.prepared import PreparedNetwork


def prepare(
    model: Any,
    target: Any,
    samples: Any,
    *,
    weights: Any = None,
    weight_bits: float | None = None,
    activation_bits: int | None = None,
    levels: str | None = None,
    **others: Any,
) -> "PreparedNetwork":
    """Post-training quantization of `model` for `target` as a torch module that learns (edgeq/train/prepared.py).

    `model`, `samples` and `weights` are what `edgeq.finetune` takes as model, data and weights, `others` its other keywords
    (`preprocess`, `shape`, `prune`, `sparsity`, `tell` ...); those of the loop, such as `epochs`, have no effect. A module that is given stays as it is. Raises as `edgeq.finetune`.

        net = edgeq.train.prepare(module, "rpi4", loader, weight_bits=4, activation_bits=4)
        optimizer = net.optimizer(0.01)
        for x, y in loader:
            optimizer.zero_grad(); loss(net(x), y).backward(); optimizer.step()
        net.eval(); net.export("tuned.pt")
    """
    needed("torch", "train", "training a network")
    given = {
        "weights": weights,
        "weight_bits": weight_bits,
        "activation_bits": activation_bits,
        "levels": levels,
    }
    request = resolved(FinetuneRequest(model, data=samples, target=target, **given, **others))
    from edgeq.conversion.training_settings import training_options
    from edgeq.train.prepared import PreparedNetwork, Source

    options = training_options(request)
    kind_of_target, job = job_of(request)
    with tempfile.TemporaryDirectory(prefix="edgeq-") as folder:
        opened_model, opened_samples, state_dict = opened(job, Path(folder), request.tell)
        start = start_of(request, kind_of_target, opened_model, opened_samples, Path(folder))
        source = Source(start, state_dict, opened_samples.sha256, opened_samples.count)
        network: PreparedNetwork = PreparedNetwork(source, options, opened_samples).train()
        return network
