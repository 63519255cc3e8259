"""Keeps a measurement before anything is read out of it."""

from edgeq.nouns.delivery import Delivery
from edgeq.nouns.measurement import Measurement
from edgeq.nouns.tradeoff import Tradeoff
from edgeq.store.open import open_store


def keep(
    store: str | None,
    measurement: Measurement,
    host: str,
    delivery: Delivery | None = None,
) -> bool:
    """Under the release of the first that entered. Whether it was new to the store. Raises StoreRefused when the store cannot be written."""
    release = next((entrant.digest for entrant in measurement.job.entrants), "")
    travelled = delivery.to_dict() if delivery else {}
    with open_store(store) as opened:
        return opened.add(
            measurement, host=host, release=release, app=measurement.job.app, delivery=travelled
        )


def keep_tradeoff(store: str | None, measurement: Measurement, tradeoff: Tradeoff) -> None:
    """Beside the measurement, which is kept already. Raises StoreRefused when the store cannot be written."""
    with open_store(store) as opened:
        opened.keep_tradeoff(measurement, tradeoff)
