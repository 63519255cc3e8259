"""Make everything that the device lab needs: `python3 -m tests.lab.build [IMAGE ...]`, as root, on Debian or Ubuntu.

Installs the packages that are missing, registers qemu-user, builds the root file systems into the cache. Quick and
silent about it when all is there.
"""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from tests.lab import images, machine, rootfs


def main(names: list[str]) -> int:
    unknown = sorted(set(names) - set(images.IMAGES))
    if unknown:
        print(f"no image {', '.join(unknown)}; there are: {', '.join(images.IMAGES)}", file=sys.stderr)
        return 2
    started = time.monotonic()
    try:
        machine.prepare(say)
        with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
            list(pool.map(_build, [images.IMAGES[name] for name in names or images.IMAGES]))
    except (rootfs.CannotBuild, subprocess.CalledProcessError) as error:
        say(f"failed: {error}")
        return 1
    say(f"the lab is ready in {images.cache_folder()} ({time.monotonic() - started:.0f} s)")
    return 0


def _build(image: rootfs.Image) -> None:
    if not images.tree_of(image).is_dir():
        say(f"{image.name}: building from Debian's packages")
    tree, seconds = images.build(image)
    say(f"{image.name}: {'cached' if not seconds else f'built in {seconds:.0f} s'} ({tree.name})")


def say(text: str) -> None:
    print(f"lab: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
