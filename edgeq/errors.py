"""Every failure that edgeq reports, each with the exit code a script can rely on.

    EdgeqError                       1
      ModelRefused                  10   the model cannot be used
      DataRefused                   11   the samples cannot be used
      TargetRefused                 12   target, recipe or project file is wrong
      ExtraMissing                  13   an optional package is not installed
      GateFailed                    20   the quantized model lost too much
      ConversionFailed              21   a converter or runtime broke on the host
      BundleRefused                 22   a bundle is incomplete, changed or unsafe
      DeviceError
        Unreachable                 30   no connection
        HostKeyRefused              31   unknown or changed host key
        AuthRefused                 32   login refused
        LinkLost                    33   the connection broke and could not be resumed
        RemoteFailed                34   a command on the device failed
        DeviceUnfit                 40   the device lacks what the release needs
        NoSpace                     41   not enough disk or memory there
        DeviceBusy                  42   another host holds the device's lock
        ReadOnly                    43   the device's root cannot be written
        ArtifactCorrupt             44   what arrived is not what was sent
        ModelCrashed                45   the model does not load or run on the device
        DeviceDisagrees             46   the device's outputs are not the host's
      StoreRefused                  50   the store of measurements cannot be used
      NotComparable                 51   measurements under different conditions

Exit code 2 is a wrong command line, 3 a deployment that is live though its speed could not be compared, 130 Ctrl-C.
This file knows nothing of the rest of edgeq and ships to the device.
"""

from collections.abc import Sequence
from typing import Any, Optional

SPEED_NOT_COMPARED = 3


class EdgeqError(Exception):
    """A failure with what went wrong, what to do now, and what is live on the device.

    `what` is one sentence that says what and where; `remedy` what to do now; `details` further lines (all problems of
    one file, the worst layers); `live` what runs on the device after the failure, filled in by whoever knows it.
    """

    exit_code = 1

    def __init__(
        self,
        what: str,
        remedy: Optional[str] = None,
        *,
        details: Sequence[str] = (),
        live: Optional[str] = None,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy
        self.details: tuple[str, ...] = tuple(details)
        self.live = live

    def to_dict(self) -> dict[str, Any]:
        return {
            "kind": type(self).__name__,
            "what": self.what,
            "remedy": self.remedy,
            "details": list(self.details),
            "live": self.live,
            "exit_code": self.exit_code,
        }


class ModelRefused(EdgeqError):
    exit_code = 10


class DataRefused(EdgeqError):
    exit_code = 11


class TargetRefused(EdgeqError):
    exit_code = 12


class ExtraMissing(EdgeqError):
    exit_code = 13


class GateFailed(EdgeqError):
    exit_code = 20


class ConversionFailed(EdgeqError):
    exit_code = 21


class BundleRefused(EdgeqError):
    exit_code = 22


class DeviceError(EdgeqError):
    """Anything that goes wrong on, or on the way to, a device."""

    exit_code = 34


class Unreachable(DeviceError):
    exit_code = 30


class HostKeyRefused(DeviceError):
    exit_code = 31


class AuthRefused(DeviceError):
    exit_code = 32


class LinkLost(DeviceError):
    exit_code = 33


class RemoteFailed(DeviceError):
    exit_code = 34


class DeviceUnfit(DeviceError):
    exit_code = 40


class NoSpace(DeviceError):
    exit_code = 41


class DeviceBusy(DeviceError):
    exit_code = 42


class ReadOnly(DeviceError):
    exit_code = 43


class ArtifactCorrupt(DeviceError):
    exit_code = 44


class ModelCrashed(DeviceError):
    exit_code = 45


class DeviceDisagrees(DeviceError):
    exit_code = 46


class StoreRefused(EdgeqError):
    exit_code = 50


class NotComparable(EdgeqError):
    exit_code = 51


def from_dict(raw: dict[str, Any]) -> EdgeqError:
    """The error that `to_dict` wrote, as the agent sends it; an unknown kind becomes RemoteFailed."""
    kinds: dict[str, type[EdgeqError]] = {cls.__name__: cls for cls in _tree(EdgeqError)}
    return kinds.get(str(raw.get("kind")), RemoteFailed)(
        str(raw.get("what", "the device reported a failure without a message")),
        raw.get("remedy"),
        details=tuple(raw.get("details") or ()),
        live=raw.get("live"),
    )


def _tree(cls: "type[EdgeqError]") -> "list[type[EdgeqError]]":
    return [cls, *(c for sub in cls.__subclasses__() for c in _tree(sub))]
