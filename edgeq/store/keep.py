"""Keeps a measurement before anything is read out of it."""

from edgeq.nouns.delivery import Delivery
from edgeq.nouns.measurement import Measurement
from edgeq.store.open import open_store


def keep(
    store: str | None,
    measurement: Measurement,
    host: str,
    app: str,
    release: str,
    delivery: Delivery | None = None,
) -> bool:
    """Whether it was new to the store. Raises StoreRefused when the store cannot be written."""
    with open_store(store) as opened:
        return opened.add(
            measurement,
            host=host,
            release=release,
            app=app,
            delivery=delivery.to_dict() if delivery else {},
        )
