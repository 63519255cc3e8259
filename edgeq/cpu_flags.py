"""Instruction flags as /proc/cpuinfo spells them, and the likely flag behind a misspelled one.

A flag that nobody here knows is no mistake: kernels add some each year. One that looks like a flag that decides how a
model is quantized, and is none, would decide it wrongly without a word.
"""

import difflib
import re
from collections.abc import Collection, Mapping

# What edgeq/quantize/scheme.py asks for.
DECISIVE = {
    "aarch64": ("asimd", "asimddp", "asimdhp", "fphp", "i8mm"),
    "armv7l": ("neon", "asimddp", "asimdhp", "fphp", "i8mm"),
    "x86_64": ("avx2", "avx512_vnni", "avx_vnni", "avx_vnni_int8", "amx_int8"),
}
# Flags of the kernel that resemble those (arch/arm64/kernel/cpuinfo.c, arch/arm/kernel/setup.c, cpufeatures.h of x86).
_RESEMBLING = {
    "aarch64": ("asimdrdm", "asimdfhm", "svei8mm", "fp"),
    "armv7l": ("asimdfhm", "asimdbf16"),
    "x86_64": (
        *("avx", "avx512f", "avx512dq", "avx512cd", "avx512bw", "avx512vl", "avx512ifma", "avx512vbmi"),
        *("avx512_vbmi2", "avx512_bitalg", "avx512_vpopcntdq", "avx512_vp2intersect", "avx512_bf16"),
        *("avx512_fp16", "avx512er", "avx512pf", "avx512_4vnniw", "avx512_4fmaps", "avx_vnni_int16"),
        *("avx_ifma", "avx_ne_convert", "amx_tile", "amx_bf16", "amx_fp16", "amx_complex"),
    ),
}
# Compilers, and flags of the other architectures, call the same by other names.
_ALSO_CALLED = {
    "dotprod": "asimddp",
    "dp": "asimddp",
    "fp16": "fphp and asimdhp",
    "half": "fphp and asimdhp",
    "vnni": "avx512_vnni or avx_vnni",
    "matmul": "i8mm",
}
_SPELLED = re.compile(r"[a-z0-9_.:+-]+")
_LIKE_ENOUGH = 0.8


def misspelled(flag: str, arch: str) -> str | None:
    """What is wrong with a flag of a target file, None where nothing is seen."""
    word = flag.strip().lower()
    known: Collection[str] = (*_of(DECISIVE, arch), *_of(_RESEMBLING, arch))
    if flag in known or (flag == "half" and arch == "armv7l"):
        return None
    meant = _meant(word, arch)
    did_you = f"; did you mean {meant}?" if meant else ""
    if not _SPELLED.fullmatch(flag):
        return f"{flag!r} is not spelled as in /proc/cpuinfo (lower case, no blanks){did_you}"
    if word not in known and meant:
        return f"{flag!r} is no flag of {arch} in /proc/cpuinfo{did_you}"
    return None


def _of(flags: Mapping[str, tuple[str, ...]], arch: str) -> tuple[str, ...]:
    """Of an architecture that is itself a mistake: those of all."""
    return flags.get(arch) or tuple(flag for some in flags.values() for flag in some)


def _meant(word: str, arch: str) -> str | None:
    decisive = _of(DECISIVE, arch)
    if word in decisive:
        return word
    if word == "neon" and arch == "aarch64":
        return "asimd"
    called = _ALSO_CALLED.get(word)
    if called and called.split()[0] in decisive:
        return called
    close = difflib.get_close_matches(word, decisive, n=1, cutoff=_LIKE_ENOUGH)
    return close[0] if close else None
