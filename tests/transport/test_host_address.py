import pytest

from edgeq.errors import Unreachable
from edgeq.transport.host_address import Address, parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("mypi", Address("mypi")),
        ("pi@10.0.0.5", Address("10.0.0.5", "pi")),
        ("pi@host:2222", Address("host", "pi", 2222)),
        ("[::1]:2222", Address("::1", None, 2222)),
        ("pi@[fe80::1%eth0]", Address("fe80::1%eth0", "pi")),
        ("::1", Address("::1")),
        ("ssh://pi@host:22/", Address("host", "pi", 22)),
        ("user@domain@host", Address("host", "user@domain")),
    ],
)
def test_forms(text: str, address: Address) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text", ["", "@host", "host:", "host:0", "host:99999", "a b", "-oProxyCommand=x", "h:p"]
)
def test_what_is_no_host_is_refused_with_the_forms(text: str) -> None:
    with pytest.raises(Unreachable, match="is not a host") as refused:
        parse_address(text)

    assert "pi@host:2222" in str(refused.value.remedy)


@pytest.mark.parametrize(
    "text",
    [
        "$(touch${IFS}x)",
        "pi@`id`",
        "a;b@host",
        "host|sh",
        "host&",
        "pi@ho'st",
        'h"ost',
        "h(o)st",
        "a<b",
        "pi@h\tx",
        "a\nb@host",
    ],
)
def test_a_name_that_a_proxy_commands_shell_would_run_is_refused(text: str) -> None:
    with pytest.raises(Unreachable, match="a shell may read it as a command"):
        parse_address(text)
