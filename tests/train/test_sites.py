"""What can be trained is found in the file alone."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from edgeq.train.sites import sites_of  # noqa: E402
from tests.train.residual_network import S8, network, quantized  # noqa: E402


def test_every_layer_is_found_with_its_bias_and_the_scale_of_its_input() -> None:
    sites = sites_of(quantized(network()))
    assert [site.layer for site in sites.weights] == ["stem", "first", "second", "dense"]
    assert [site.name for site in sites.weights] == ["stem.w", "first.w", "second.w", "dense.w"]
    assert all(site.bias is not None and site.input_scale for site in sites.weights)
    assert sites.weights[1].input_scale == "ar_scale"


@pytest.mark.parametrize(("scheme", "limits"), [(None, (0, 255)), (S8, (-128, 127))])
def test_activations_have_the_limits_of_their_type(scheme: object, limits: tuple[int, int]) -> None:
    file = quantized(network()) if scheme is None else quantized(network(), S8)
    sites = sites_of(file).activations
    assert {(site.q_min, site.q_max) for site in sites} == {limits}
    scales = [scale for site in sites for scale in site.scales]
    assert len(scales) == len(set(scales)) and {"x_scale", "ar_scale", "c_scale"} <= set(scales)


def test_what_only_moves_values_shares_its_scale() -> None:
    """MaxPool and Flatten round as their input was rounded: two scales there would cost the runtime its integer kernel."""
    sites = sites_of(quantized(network())).activations
    together = [set(site.scales) for site in sites if len(site.scales) > 1]
    assert all(np.size(list(group)) > 1 for group in together)
    assert not any({"c_scale", "ar_scale"} <= group for group in together)
