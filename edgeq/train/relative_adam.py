"""Adam (Kingma & Ba 2015, arXiv:1412.6980) whose steps are shares of a unit that each parameter brings.

Folding a batch norm leaves channels whose weights differ by factors of a hundred, and a scale is smaller than its weights by as
many steps as the grid has. One learning rate for all of them is too large for some; here 0.01 moves a weight by at most about one
percent of its channel's root mean square, and a scale by one percent of itself.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

_TINY = 1e-12


class RelativeAdam(torch.optim.Optimizer):
    """`units` by parameter: tensors that broadcast against it. The first beta is momentum's, the second that of the squares."""

    def __init__(
        self,
        parameters: Iterable[tuple[nn.Parameter, Tensor]],
        lr: float,
        betas: tuple[float, float] = (0.9, 0.99),
    ) -> None:
        pairs = list(parameters)
        super().__init__([p for p, _ in pairs], {"lr": lr, "betas": betas})
        for parameter, unit in pairs:
            self.state[parameter] = {
                "unit": unit.detach().clone(),
                "step": 0,
                "mean": torch.zeros_like(parameter),
                "square": torch.zeros_like(parameter),
            }

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = None if closure is None else closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    _step(parameter, self.state[parameter], group["lr"], *group["betas"])
        return loss


def _step(parameter: Tensor, state: dict[str, Any], lr: float, momentum: float, decay: float) -> None:
    gradient = parameter.grad
    assert gradient is not None
    state["step"] += 1
    state["mean"].lerp_(gradient, 1.0 - momentum)
    state["square"].mul_(decay).addcmul_(gradient, gradient, value=1.0 - decay)
    size = (state["square"] / (1.0 - decay ** state["step"])).sqrt_().add_(_TINY)
    share = lr / (1.0 - momentum ** state["step"])
    parameter.addcmul_(state["mean"] / size, state["unit"], value=-share)


def unit_of(parameter: Tensor, axis: int | None = None) -> Tensor:
    """The root mean square, for each index of `axis` where one is given; of a parameter of zeros 1."""
    others = (
        [k for k in range(parameter.ndim) if k != axis] if axis is not None else list(range(parameter.ndim))
    )
    square = parameter.detach().square()
    mean = square.mean(others, keepdim=True) if others else square
    size = mean.sqrt()
    whole = square.mean().sqrt()
    return torch.where(size > _TINY, size, whole if bool(whole > _TINY) else torch.ones_like(whole))
