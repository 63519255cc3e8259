"""What a user can do where nothing quantized is close enough to float: only what can change these candidates."""

from collections.abc import Sequence

from edgeq.nouns.fidelity import Fidelity
from edgeq.nouns.passes import ALL, OFF


def gate_remedies(refused: Sequence[Fidelity]) -> str:
    """In words. `refused` failed their gates; ranges, and with them calibrators, are fixed only where one is named."""
    if all(f.quantized_nothing for f in refused):
        thin = any(tried.repair == "thin" and tried.kept for f in refused for tried in f.repairs)
        way = "--passes -thin, which quantizes them anyway, or leave" if thin else "leave"
        return f"{way} out --recipe: the model then ships in float. Nothing was written or sent."
    ways = []
    tried = [tried for f in refused for tried in f.repairs]
    if any(one.why == OFF for one in tried):
        # Those that were on among them: a selection replaces the one before.
        ways.append(f"--passes {','.join(name for name in ALL if name in {one.repair for one in tried})}")
    fixed = any(f.calibrator is not None for f in refused)
    if fixed:
        ways.append("--calibrator percentile")
    if any(f.closed_loop is not None for f in refused):
        ways.append("--states, where outputs are fed back otherwise than the data line says")
    if all(f.accuracy is None and f.agreement is None for f in refused):
        ways.append("--metric file.py:function, which scores what the model is for")
    ways.append("a wider gate (--max-drop, --min-agreement, --min-sqnr)")
    if fixed or any(f.accuracy is not None for f in refused):
        ways.append("more samples")
    float_instead = "--recipe float, the model that the gate compares with"
    return f"try {', '.join(ways)}, or {float_instead}. Nothing was written or sent."
