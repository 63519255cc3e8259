"""RevokedHostKeys: keys that no host may have, as public keys line by line or as OpenSSH's binary list (KRL).

What cannot be read or asked revokes every key, as for OpenSSH.
"""

import base64
import shutil
import subprocess
import tempfile
from pathlib import Path

from edgeq.errors import HostKeyRefused

from .bounded_file import bounded
from .known_hosts import OfferedKey

_KRL = b"SSHKRL\n\0"
_WITHIN_S = 30.0
_LARGEST = 64 << 20  # bytes; a list of some million serial numbers has a few megabytes


def refuse_revoked(file: Path, shown: str, offered: OfferedKey, *certified: OfferedKey) -> None:
    """`shown` is how people call the host, `certified` the certificate and the authority that its key came with. Raises
    HostKeyRefused where `file` revokes one of them, or cannot say.
    """
    try:
        data = bounded(file, _LARGEST)
    except (OSError, ValueError) as error:
        raise _cannot_say(file, shown, str(error)) from error
    keys = (offered, *certified)
    if data.startswith(_KRL):
        revoked = any(_in_krl(file, shown, key) for key in keys)
    else:
        encoded = {base64.b64encode(key.blob) for key in keys}
        revoked = any(encoded & set(line.split()) for line in data.splitlines())
    if revoked:
        raise HostKeyRefused(
            f"the host key of {shown} is revoked ({offered}): {file}",
            "do not connect; ask whoever revoked it, and give the device a new host key",
        )


def _in_krl(file: Path, shown: str, offered: OfferedKey) -> bool:
    program = shutil.which("ssh-keygen")
    if program is None:
        raise _cannot_say(file, shown, "only ssh-keygen, which is not installed here, reads this list")
    with tempfile.NamedTemporaryFile(suffix=".pub") as public:
        public.write(f"{offered.kind} {base64.b64encode(offered.blob).decode()}\n".encode())
        public.flush()
        try:
            done = subprocess.run(
                [program, "-Q", "-f", file.absolute(), public.name],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_WITHIN_S,
            )
        except subprocess.TimeoutExpired as error:
            raise _cannot_say(file, shown, "ssh-keygen did not answer") from error
    if done.returncode != 0 and "REVOKED" not in done.stdout:
        raise _cannot_say(file, shown, (done.stderr or done.stdout).strip())
    return done.returncode != 0


def _cannot_say(file: Path, shown: str, why: str) -> HostKeyRefused:
    return HostKeyRefused(
        f"RevokedHostKeys {file} cannot say whether the host key of {shown} is revoked: {why}",
        "correct that file, or RevokedHostKeys in the ssh configuration",
    )
