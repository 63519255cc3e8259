"""Nothing leaves a channel behind its CLOSE.

paramiko makes a message under the channel's lock and sends it after it let go of it. Where the command has ended in
between, paramiko's own thread has answered the server's CLOSE by then, and what comes late (EOF, data, a wider window)
names a channel that is gone, for which OpenSSH ends the whole connection; or one that was opened since and got its
number, an upload say, whose input then ends in the middle.
"""

import threading
from typing import Any

import paramiko
from paramiko.common import MSG_CHANNEL_CLOSE


def in_order(channel: paramiko.Channel) -> paramiko.Channel:
    """The same channel; from now on it sends by way of an `Orderly`."""
    channel.transport = Orderly(channel.transport)  # type: ignore[assignment]
    return channel


class Orderly:
    """Stands for the transport of one channel: message by message, and none after CLOSE.

    A sender that has to wait for new keys keeps the others of its channel waiting: that is no more than paramiko does.
    """

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._turn = threading.Lock()
        self._closed = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def _send_user_message(self, message: paramiko.Message) -> None:
        with self._turn:
            if self._closed:
                return
            self._closed = message.asbytes()[0] == MSG_CHANNEL_CLOSE
            self._transport._send_user_message(message)
