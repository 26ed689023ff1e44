"""Real proxies in front of gateways, from the examples under `deploy/`: only addresses and times are replaced.

with Proxy.nginx(folder, {"127.0.0.1:3050": f"127.0.0.1:{gateway.port}"}) as proxy:
    httpx2.post(proxy.url, ...)
"""

import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.support.guide import free_port
from tests.support.machine import ROOT, which

DEPLOY: Final = ROOT / "deploy"
LIMIT: Final = 20.0

_NGINX: Final = """
daemon off;
master_process off;
error_log stderr;
pid nginx.pid;
events {{ }}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    include {example};
}}
"""
"""What the packages have around a file in conf.d, without anything outside the test's folder."""


class Proxy:
    """One proxy, started when the block is entered and ended by its pid when it is left."""

    def __init__(
        self, folder: Path, example: str, command: Sequence[str], changes: Mapping[str, str]
    ) -> None:
        """`changes` are texts of the example that stand there once, and what to put there."""
        self.port = free_port()
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._command = command
        text = (DEPLOY / example).read_text()
        for old, new in changes.items():
            assert text.count(old) == 1, f"{example} has {old!r} {text.count(old)} times"
            text = text.replace(old, new.format(port=self.port))
        self.example = folder / Path(example).name
        self.example.write_text(text)
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    def nginx(cls, folder: Path, changes: Mapping[str, str]) -> Self:
        """Of `deploy/nginx`."""
        command = ["nginx", "-p", str(folder), "-e", "stderr", "-c", str(folder / "nginx.conf")]
        proxy = cls(
            folder, "nginx/onemcp.conf", command, {"listen 80;": "listen 127.0.0.1:{port};", **changes}
        )
        (folder / "nginx.conf").write_text(_NGINX.format(example=proxy.example))
        return proxy

    @classmethod
    def caddy(cls, folder: Path, changes: Mapping[str, str]) -> Self:
        """Of `deploy/caddy`."""
        command = ["caddy", "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]
        head = "{{\n\tadmin off\n}}\n:{port} {{\n\tbind 127.0.0.1\n"
        proxy = cls(folder, "caddy/Caddyfile", command, {"\n:80 {\n": "\n", **changes})
        text = proxy.example.read_text()
        at = text.index("\treverse_proxy")
        proxy.example.write_text(head.format(port=proxy.port) + text[at:])
        return proxy

    @classmethod
    def haproxy(cls, folder: Path, changes: Mapping[str, str]) -> Self:
        """Of `deploy/haproxy`."""
        command = ["haproxy", "-db", "-f", str(folder / "haproxy.cfg")]
        return cls(
            folder, "haproxy/haproxy.cfg", command, {"bind :80\n": "bind 127.0.0.1:{port}\n", **changes}
        )

    @property
    def url(self) -> str:
        """The endpoint, through the proxy."""
        return f"http://127.0.0.1:{self.port}/mcp"

    def __enter__(self) -> Self:
        program = which(self._command[0])
        assert program is not None
        home = {"HOME": str(self._folder), "XDG_DATA_HOME": str(self._folder)}
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [program, *self._command[1:]], cwd=self._folder, env=home, stdout=log, stderr=log
            )
        deadline = time.monotonic() + LIMIT
        while not self._listens():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.__exit__(None, None, None)
                raise AssertionError(f"{self._command[0]} does not listen: {self.log}")
            time.sleep(0.02)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        self._process.terminate()
        try:
            self._process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(LIMIT)

    @property
    def log(self) -> str:
        """What it has said."""
        return (self._folder / "log").read_text(errors="replace")

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0
