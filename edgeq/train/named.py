"""Parameters, modules and buffers of a torch module under the names of an ONNX file."""

from collections.abc import Iterable, Iterator
from typing import Any

from torch import nn


class Named(nn.Module):
    """Parameters, modules or buffers by any name. torch takes no dot in a name and no name that a module has itself; in a
    state_dict such characters are written as in a URL: "." as "%2E".
    """

    def __init__(self, entries: Iterable[tuple[str, Any]]) -> None:
        super().__init__()
        self._own: dict[str, str] = {}
        for name, entry in entries:
            key = self._own[name] = _key(name)
            if isinstance(entry, nn.Parameter):
                self.register_parameter(key, entry)
            elif isinstance(entry, nn.Module):
                self.add_module(key, entry)
            else:
                self.register_buffer(key, entry, persistent=False)

    def __getitem__(self, name: str) -> Any:
        key = self._own[name]
        for kind in (self._parameters, self._modules, self._buffers):
            if key in kind:
                return kind[key]
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return name in self._own

    def __iter__(self) -> Iterator[str]:
        return iter(self._own)

    def __len__(self) -> int:
        return len(self._own)

    def keys(self) -> Iterable[str]:
        return self._own.keys()

    def values(self) -> Iterator[Any]:
        return (self[name] for name in self._own)

    def items(self) -> Iterator[tuple[str, Any]]:
        return ((name, self[name]) for name in self._own)


def _key(name: str) -> str:
    key = name.replace("%", "%25").replace(".", "%2E")
    return f"%{ord(key[0]):02X}{key[1:]}" if hasattr(Named, key) or key == "training" else key
