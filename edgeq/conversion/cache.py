"""Where a conversion's bundle is in edgeq's cache, and whether it was made from the same order."""

from pathlib import Path

import platformdirs

from edgeq.conversion.order import Order
from edgeq.errors import BundleRefused
from edgeq.nouns.record import digest_of


def folder() -> Path:
    """edgeq's cache of this user."""
    return Path(platformdirs.user_cache_dir("edgeq"))


def place(order: Order) -> Path:
    """Where the bundle of this order belongs in the cache."""
    key = order.key or digest_of([order.model, order.name, order.target.name])
    return folder() / "bundles" / f"{order.name}-{key[:24]}.edgeq"


def holds(order: Order, path: Path) -> bool:
    """Whether `path` is a complete bundle of this order. A damaged one is made again."""
    from edgeq.bundle import read_bundle

    if not order.key or not path.is_file():
        return False
    try:
        return read_bundle(path).beside("order") == order.key.encode()
    except BundleRefused:
        return False
