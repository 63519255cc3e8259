"""Which integers a CPU multiplies well, from its instruction flags and the runtime; board names play no part.

Flags are the words of /proc/cpuinfo.
"""

from edgeq.nouns.plan import Scheme
from edgeq.nouns.weight_levels import APOT, CODEBOOK, UNIFORM

VNNI = ("avx_vnni", "avx512_vnni", "amx_int8", "avx_vnni_int8")
DOT = ("asimddp",)
HALF = ("asimdhp", "fphp")
_ROWS_BOUND_BY_WEIGHTS = 4
_BITS_OF_A_KERNEL = 4
_NEARLY_ALL = 0.99


def scheme_for(runtime: str, arch: str, isa: tuple[str, ...]) -> tuple[Scheme, str]:
    """The scheme of static int8 and the reason in words.

    onnxruntime on x86 multiplies unsigned activations by signed weights. Without VNNI it adds pairs of products in 16
    bits, which saturate: scales are widened until no pair can. On ARM it multiplies signed by signed.
    """
    if runtime != "onnxruntime":
        return Scheme("int8", "int8", True), "LiteRT's kernels take S8 activations and S8 weights per channel"
    if arch != "x86_64":
        how = "by dot product (asimddp)" if any(f in isa for f in DOT) else "in 16-bit lanes, no dot product"
        return Scheme("int8", "int8", True), f"ARM multiplies S8 by S8 {how}; weights symmetric per channel"
    found = [f for f in VNNI if f in isa]
    if found:
        scheme = Scheme("uint8", "int8", True, thin_in_float=True)
        return scheme, f"{found[0]} multiplies U8 by S8 exactly in 32 bits: full range"
    kind = "AVX2" if "avx2" in isa else "SSE"
    return (
        Scheme("uint8", "int8", True, thin_in_float=True, pairs_fit=True),
        f"{kind} without VNNI adds pairs of U8 x S8 products in 16 bits, which can saturate: scales leave headroom",
    )


def why_slower_than_float(runtime: str, arch: str, isa: tuple[str, ...]) -> str:
    """Why static int8 is expected to be slower than float; empty where it is expected to be faster.

    Measured on an AMD EPYC with AVX2 and no VNNI, one thread: LiteRT's int8 takes 1.10 to 1.14 times as long as
    onnxruntime's float (ResNet-20, -56), its float 0.91 to 0.93 times.
    """
    if arch != "x86_64" or runtime == "onnxruntime" or any(f in isa for f in VNNI):
        return ""
    return "LiteRT's int8 is slower than float on x86 without VNNI: expected to be slower than float"


def sixteen_bits() -> tuple[Scheme, str]:
    """That of 8-bit weights on 16-bit activations and the reason in words.

    TFLite has plain loops for it, no vector instructions: ResNet-8 takes 34 times as long as float on x86.
    """
    return Scheme(
        "int16", "int8", True
    ), "close to float at half its size, but slower: TFLite has no fast kernels for it"


def dynamic_scheme(runtime: str, arch: str, isa: tuple[str, ...]) -> Scheme | None:
    """The scheme of dynamic int8; None where the CPU asks for nothing special.

    onnxruntime's kernels are those of static int8, so their pairs saturate alike. Here 7-bit weights prevent it, not wider scales: the weights
    of an LSTM or inside a loop are stored in many shapes.
    """
    scheme, _ = scheme_for(runtime, arch, isa)
    return Scheme("uint8", "int8", True, reduce_range=True) if scheme.pairs_fit else None


def why_no_blocks(arch: str, isa: tuple[str, ...]) -> str:
    """Why onnxruntime would unpack weights in blocks to floats at every run; empty where it multiplies integers."""
    if arch == "x86_64":
        return "" if "avx2" in isa else "onnxruntime has kernels for block-wise weights from AVX2 on"
    if arch != "aarch64":
        return f"onnxruntime has no kernels for block-wise weights on {arch}"
    served = any(f in isa for f in DOT)
    return (
        ""
        if served
        else "this CPU has no dot product (no asimddp): block-wise weights are multiplied in float"
    )


def blocks_gain(bits: int, rows: float) -> str:
    """Whether weights in blocks are expected to be faster than dynamic int8, only smaller, or neither.

    x86 with VNNI, one thread (python -m benchmarks.few_bit_kernels): a row at a time is bound by the weights' bytes. 2 bits are unpacked
    to the bytes of 4, and take 0.9 to 1.1 times as long.
    """
    if bits == 2:
        return "only smaller: half the bytes of int4_blockwise, and no faster"
    if bits == 4:
        return (
            "faster and half the bytes of int8"
            if rows < _ROWS_BOUND_BY_WEIGHTS
            else "only smaller: half the bytes of int8"
        )
    return "neither faster nor smaller than int8_dynamic: closer to float"


def few_bits_gain(
    runtime: str,
    bits: float,
    dense: float = 0.0,
    rows: float = 0.0,
    levels: str = UNIFORM,
    *,
    trained: bool = True,
) -> str:
    """Whether static layers of `bits` < 8 are expected to be faster than int8, or only smaller.

    `dense`: the share of the weights that fully connected layers have whose integers fit into 4 bits, `rows`: what these multiply in one
    run. Without being `trained`, a number of bits is a mean, or leaves out the first and the last layer: which layers fit, fitting them tells.
    Theirs are the only kernels of few bits that are faster than int8, and LiteRT's the only runtime that has one (four_bits.py of
    backends/litert): onnxruntime's QDQ files have none, and LiteRT's convolutions of 4 bits take 3 times as long as int8.
    """
    few = f"{bits:g}-bit weights" if levels == UNIFORM else f"{bits:g}-bit weights ({levels})"
    wide = levels == CODEBOOK or (levels == APOT and bits == _BITS_OF_A_KERNEL)  # integers beyond -8 to 7
    if runtime != "litert" or bits > _BITS_OF_A_KERNEL or wide or not dense:
        return f"{few}, which are int8 on the device: only smaller to send, not faster"
    share = f"{dense:.0%} of the weights are of fully connected layers"
    if rows >= _ROWS_BOUND_BY_WEIGHTS:
        return f"{few}; {share}, of {rows:.0f} rows, where 4-bit kernels are no faster: int8 on the device, only smaller to send"
    if not trained:
        rest = "but fully connected layers whose integers fit into 4 bits have kernels: faster where large, and half the memory"
        return f"{few}, which are int8 on the device and only smaller to send, {rest}"
    rest = "" if dense > _NEARLY_ALL else "; the others are int8 there, and only smaller to send"
    return f"{few}; {share}, with 4-bit kernels: faster where large, and half the memory{rest}"


def has_half(isa: tuple[str, ...]) -> bool:
    """Whether the core computes in float16 rather than only storing it."""
    return all(f in isa for f in HALF)
