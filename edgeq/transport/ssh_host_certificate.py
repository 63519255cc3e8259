"""Host certificates: the key of a host, signed by an authority that a @cert-authority line of known_hosts names.

Judged as OpenSSH's client judges them (PROTOCOL.certkeys): the signature, the authority, the type, the names, the time, no
critical option, and the algorithms that CASignatureAlgorithms allows.
"""

import struct
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import paramiko

from .known_hosts import KnownKey, OfferedKey
from .ssh_certificate import HOST, Fields, NoCertificate, day, read_fields, take_string

# What the key of an authority may sign with; the types that need a security key cannot be checked here.
_SIGNS_WITH = {
    "ssh-ed25519": ("ssh-ed25519",),
    "ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256"),
    "ecdsa-sha2-nistp256": ("ecdsa-sha2-nistp256",),
    "ecdsa-sha2-nistp384": ("ecdsa-sha2-nistp384",),
    "ecdsa-sha2-nistp521": ("ecdsa-sha2-nistp521",),
}


@dataclass(frozen=True)
class HostCertificate:
    """`whole` is the certificate as it was sent, `authority` the key that is said to have signed it."""

    whole: OfferedKey
    authority: OfferedKey
    fields: Fields


def certificate_of(key: paramiko.PKey) -> HostCertificate | None:
    """The certificate that the server showed with its key; None where it showed the plain key. Raises NoCertificate."""
    if key.public_blob is None:
        return None
    blob = key.public_blob.key_blob
    fields = read_fields(blob)
    if fields.public != key.asbytes():  # whose signature was checked in the key exchange
        raise NoCertificate("it certifies another key than the server's")
    return HostCertificate(
        OfferedKey(fields.kind, blob), OfferedKey(_kind_of(fields.authority), fields.authority), fields
    )


def why_not(
    certificate: HostCertificate, host: str, authorities: Sequence[KnownKey], algorithms: Collection[str]
) -> str:
    """Why the certificate does not prove that this is `host`, or nothing where it does. `authorities` are those that
    known_hosts names for it, `algorithms` what CASignatureAlgorithms allows.
    """
    fields, now = certificate.fields, time.time()
    if certificate.authority.blob not in {known.blob for known in authorities}:
        return f"no @cert-authority line for this host has the key that signed it, {certificate.authority}"
    if fields.type != HOST:
        return "it is a certificate for users, not for hosts"
    if now < fields.valid_after:
        return f"it is not valid before {day(fields.valid_after)}"
    if now >= fields.valid_before:
        return f"it expired on {day(fields.valid_before)}"
    if fields.principals and host not in fields.principals:
        return f"it is for {', '.join(fields.principals)}, not for {host}"
    if fields.critical:
        return "it has a critical option, which no host certificate may have"
    return _why_unsigned(certificate, algorithms)


def _why_unsigned(certificate: HostCertificate, algorithms: Collection[str]) -> str:
    kind, fields = certificate.authority.kind, certificate.fields
    signed_with = _kind_of(fields.signature)
    if kind not in _SIGNS_WITH:
        return f"edgeq cannot check what a key of type {kind} signed"
    if signed_with not in _SIGNS_WITH[kind] or signed_with not in algorithms:
        return f"it is signed with {signed_with}, which is not allowed (CASignatureAlgorithms)"
    try:
        authority = paramiko.PKey.from_type_string(kind, fields.authority)
        is_signed = authority.verify_ssh_sig(fields.signed, paramiko.Message(fields.signature))
    except Exception as error:  # whatever the libraries make of a key or signature that is none
        return f"its signature cannot be checked ({type(error).__name__})"
    return "" if is_signed else "its signature is not the authority's"


def _kind_of(blob: bytes) -> str:
    try:
        return take_string(blob)[0].decode("ascii")
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise NoCertificate("the certificate cannot be read") from error
