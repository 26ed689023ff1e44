"""The state folder while the gateway runs: whether it is still there, and still its own."""

import logging
import os

from onemcp.config.state import StateDir

_log = logging.getLogger("onemcp")


class Folder:
    """Looks whether somebody has removed or replaced it. The open files go on, and nobody finds them any more."""

    def __init__(self, state: StateDir) -> None:
        self._state = state
        self._held = state.identities()
        self._had_socket = False

    def harm(self) -> str:
        """What has happened to the store's folder, for a person; empty if it is as it was. Asks the file system."""
        self._look_for_socket()
        found = self._state.identities()
        gone = [path.name for path, identity in self._held.items() if found.get(path) != identity]
        if not gone:
            return ""
        return (
            f"{self._state.path} was removed or replaced ({', '.join(gone)});"
            " what is kept ends with this process, so restart the gateway"
        )

    def _look_for_socket(self) -> None:
        """Say once that it is gone: temporary folders, where a long path may have put it, are cleaned now and then."""
        socket = self._state.control_socket
        has_socket = os.access(socket, os.F_OK)
        if self._had_socket and not has_socket:
            _log.warning("%s is gone: 1mcp status and its like cannot ask this gateway any more", socket)
        self._had_socket = has_socket
