"""Whether the key that a server showed is the host's: by a certificate, or as a known key. Before any secret is sent."""

from collections.abc import Callable, Iterable, Sequence

import paramiko

from edgeq.errors import HostKeyRefused

from .known_hosts import (
    KnownKey,
    OfferedKey,
    check_host_key,
    keys_for,
    read_known_hosts,
    refuse_marked,
    remember,
    unknown_host_key,
)
from .revoked_keys import refuse_revoked
from .ssh_certificate import NoCertificate
from .ssh_hop import Hop
from .ssh_host_certificate import HostCertificate, certificate_of, why_not


def check_key(key: paramiko.PKey, hop: Hop, accept_new: bool, on_note: Callable[[str], None]) -> None:
    """Raises HostKeyRefused. A certificate that proves nothing leaves the plain key in it to be judged, as for OpenSSH."""
    offered = OfferedKey(key.get_name(), key.asbytes())
    known = read_known_hosts(hop.known_hosts)
    authorities = authorities_for(hop, known)
    try:
        certificate, doubt = certificate_of(key), ""
    except NoCertificate as error:
        certificate, doubt = None, f"the certificate that it shows is not taken: {error}"
    _refuse_revoked(hop, known, offered, certificate)
    if certificate is not None:
        why = why_not(certificate, hop.principal, authorities, hop.ca_algorithms)
        if not why:
            return
        doubt = f"the certificate that it shows is not taken: {why}"
    elif authorities and not doubt:
        line = authorities[0]
        doubt = f"{line.file}:{line.line} names an authority (@cert-authority), but the server shows no certificate"
    try:
        if check_host_key(hop.key_name, hop.shown, offered, known):
            return
        if not accept_new:
            raise unknown_host_key(hop.shown, offered)
    except HostKeyRefused as error:
        error.details = (*error.details, *([doubt] if doubt else []))
        raise
    remember(hop.known_hosts[0], hop.key_name, offered, hashed=hop.hash_names)
    on_note(f"host key of {hop.shown} accepted and recorded in {hop.known_hosts[0]}: {offered}")


def authorities_for(hop: Hop, known: Iterable[KnownKey]) -> Sequence[KnownKey]:
    """Those that may sign for this host, under its name with or without its port, as for OpenSSH."""
    lines = (key for key in known if key.authority)
    return [key for key in lines if any(keys_for(name, (key,)) for name in _names(hop))]


def _names(hop: Hop) -> tuple[str, ...]:
    return hop.key_name, hop.principal


def _refuse_revoked(
    hop: Hop, known: Sequence[KnownKey], offered: OfferedKey, certificate: HostCertificate | None
) -> None:
    """The certificate, or the key of the authority, may be revoked as well as the host's own key."""
    certified = () if certificate is None else (certificate.whole, certificate.authority)
    if hop.revoked_keys is not None:
        refuse_revoked(hop.revoked_keys, hop.shown, offered, *certified)
    for key in (offered, *certified):
        refuse_marked(_names(hop), hop.shown, key, known)
