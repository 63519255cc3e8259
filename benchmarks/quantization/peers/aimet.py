"""AIMET on ONNX: rounding to nearest, and AdaRound with 500 iterations; weights per channel, activations 8 bit.

Eight bits are exported as QDQ, which is what a user would run. ONNX has no 2-bit QDQ that AIMET writes, so fewer than 8
bits are judged in AIMET's own simulation, which is the returned function.
"""

from pathlib import Path

FORMAT = "onnx"
WAYS = {"nearest": "W8A8", "AdaRound": "W8A8", "AdaRound W4": "W4A8", "AdaRound W2": "W2A8"}
_ITERATIONS = 500


def quantizer(way):
    import aimet_onnx
    import onnx
    from aimet_onnx.batch_norm_fold import fold_all_batch_norms_to_weight
    from aimet_onnx.common.defs import qtype

    bits = int(WAYS[way][1])

    def quantize(source: Path, target: Path, feeds):
        model = onnx.load(str(source))
        fold_all_batch_norms_to_weight(model)
        sim = aimet_onnx.QuantizationSimModel(
            model,
            param_type=qtype.int(bits),
            activation_type="int8",
            dummy_input=feeds[0],
        )
        if way.startswith("AdaRound"):
            aimet_onnx.apply_adaround(sim, feeds, num_iterations=_ITERATIONS)
        sim.compute_encodings(feeds)
        if bits == 8:
            onnx.save(sim.to_onnx_qdq(prequantize_constants=True), str(target))
            return None
        return lambda feed: sim.session.run(None, feed)

    return quantize
