"""Olive's pass for static quantization on a CPU, told to use U8S8 per channel; it drives onnxruntime's quantizer."""

import os
from pathlib import Path

FORMAT = "onnx"
WAYS = {"static": "W8A8"}


def quantizer(way):
    os.environ["OLIVE_DISABLE_TELEMETRY"] = "1"
    from olive.data.config import DataComponentConfig, DataConfig
    from olive.data.registry import Registry
    from olive.hardware import DEFAULT_CPU_ACCELERATOR
    from olive.model import ONNXModelHandler
    from olive.passes.olive_pass import create_pass_from_dict
    from olive.passes.onnx.quantization import OnnxStaticQuantization
    from torch.utils.data import Dataset

    class Samples(Dataset):
        def __init__(self, feeds):
            self.feeds = feeds

        def __len__(self):
            return len(self.feeds)

        def __getitem__(self, i):
            return {name: a[0] for name, a in self.feeds[i].items()}, 0

    def quantize(source: Path, target: Path, feeds):
        Registry.register_dataset("edgeq_samples")(lambda **_: Samples(feeds))
        data = DataConfig(name="samples", load_dataset_config=DataComponentConfig(type="edgeq_samples"))
        options = {
            "data_config": data,
            "per_channel": True,
            "activation_type": "uint8",
            "precision": "int8",
            "calibrate_method": "MinMax",
        }
        work = create_pass_from_dict(
            OnnxStaticQuantization, options, disable_search=True, accelerator_spec=DEFAULT_CPU_ACCELERATOR
        )
        made = work.run(ONNXModelHandler(str(source)), str(target.parent / "olive"))
        Path(made.model_path).rename(target)

    return quantize
