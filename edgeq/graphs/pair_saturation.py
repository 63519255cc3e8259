"""Where host_saturates was; gone once quantize/make.py has moved."""

from .ort_session import host_saturates

__all__ = ["host_saturates"]
