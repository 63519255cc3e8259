from collections.abc import Iterator

import numpy  # noqa: F401  # a limit holds for what is loaded
import pytest
from threadpoolctl import threadpool_limits


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    """As in a conversion: on a busy machine several threads of BLAS take minutes for what one does in a second."""
    with threadpool_limits(1, "blas"):
        yield
