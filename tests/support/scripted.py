"""A scripted MCP server on stdio, of the standard library only: it behaves, or misbehaves as told.

Started as `[sys.executable, "-S", SCRIPTED, "--tools", "3", "--mode", "noise"]`; `SCRIPTED` is this file's path, and
`command(...)` builds that list. It speaks one era (`--era`). Every tool, and `echo` is always the first, answers with
what it was called with, token for token: `structuredContent` is `{"server", "tool", "pid", "arguments"}` with the
arguments as they stood in the line, and the text content is that same text.

Modes (`--mode`, any number of them):

    crash-start      says its last words on stderr and exits with status 3 before it reads anything
    hang-start       reads and never answers
    hang-call        never answers a tools/call; counts `notifications/cancelled` in the tool `cancelled`
    die-call         exits with status 4 in a tools/call
    segv-call        ends itself with SIGSEGV in a tools/call
    answer-and-die   answers a tools/call and exits with status 5 at once
    noise            writes banners, ANSI, blank lines, a BOM and broken JSON between its messages, and CRLF after them
    noise-flood      writes noise on stdout as fast as it can
    stderr-flood     writes on stderr as fast as it can
    huge-line        answers a tools/call with one line of `--size` bytes (20 MiB), its id before the result
    huge-line-last   the same with the id after the result
    endless-line     answers a tools/call with a line that never ends
    endless-list     gives another cursor with every page of tools/list
    storm            announces changed tools as fast as it can
    stay             ends neither with its stdin nor on SIGTERM
    grandchild       starts a process that ignores every polite signal
    daemon           the same, in a session of its own and holding stdout open
    deaf             stops reading after the first tools/list
    sample           asks its client for a sample in the course of a tools/call and answers with what it got
                     (stateless: input_required, then the answer of the retry)
    talk             sends progress (if a token came) and a log line before it answers a tools/call
    grow             has a tool `grow` that adds another tool and announces it
    wrong-ids        answers with its id as a string, with an unknown id, and twice
    batch            wraps its answers into arrays
"""

import json
import os
import signal
import sys
import threading
import time

SCRIPTED = os.path.abspath(__file__)  # noqa: PTH100 - pathlib would double the start-up
if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(SCRIPTED))))  # noqa: PTH120 - the same

from tests.support.scripted_offer import META, STATELESS, AnswerError, Offer, Options, members  # noqa: E402 - needs the line above


def command(*arguments: object) -> list[str]:
    """The argument list that starts this server; numbers are fine."""
    return [sys.executable, "-S", "-E", SCRIPTED, *map(str, arguments)]


class Server(Offer):
    """One server on this process's stdin and stdout."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.cancelled = 0
        self.asked: dict[str, tuple[str, str]] = {}
        self.listeners: list[str] = []
        self.lock = threading.Lock()

    # Messages out

    def write(self, text: str) -> None:
        """One line, or whatever the modes make of it."""
        if "batch" in self.modes and '"id"' in text:
            text = f"[{text}]"
        data = text.encode()
        if "noise" in self.modes:
            data = b"\x1b[32m> ready\x1b[0m\r\n\n{broken\n[1,2]\n" + data + b"\r"
        self.write_bytes(data + b"\n")

    def write_bytes(self, data: bytes, channel: int = 1) -> None:
        """All of it, and no other thread in between."""
        with self.lock:
            view = memoryview(data)
            while view:
                view = view[os.write(channel, view) :]

    def answer(self, request_id: str, result: str) -> None:
        """A result; with the members that the stateless era asks for."""
        if self.options.era == "stateless" and '"resultType"' not in result:
            result = '{"resultType":"complete"' + (", " if result != "{}" else "") + result[1:]
        text = f'{{"jsonrpc":"2.0","id":{request_id},"result":{result}}}'
        if "wrong-ids" in self.modes:
            self.write(f'{{"jsonrpc":"2.0","id":"{request_id}","result":{{"wrong":1}}}}')
            self.write('{"jsonrpc":"2.0","id":987654321,"result":{"wrong":2}}')
            self.write(text)
        self.write(text)

    def notify(self, method: str, params: str = "{}") -> None:
        self.write(f'{{"jsonrpc":"2.0","method":"{method}","params":{params}}}')

    def announce(self) -> None:
        """The tools changed: for all in the handshake era, for each who listens in the stateless one."""
        method = "notifications/tools/list_changed"
        if self.options.era == "handshake":
            self.notify(method)
        for listener in self.listeners:
            self.notify(method, f'{{"_meta":{{"{META}subscriptionId":{listener}}}}}')

    # Messages in

    def serve(self) -> None:
        """Until stdin ends."""
        for raw in sys.stdin.buffer:
            line = raw.decode().strip()
            if line and "hang-start" not in self.modes:
                self.take(line)

    def take(self, line: str) -> None:
        message = members(line)
        method = json.loads(message.get("method", '""'))
        params = message.get("params", "{}")
        if not method:
            self.take_answer(message)
        elif "id" not in message:
            self.take_notification(method, params)
        else:
            try:
                self.take_request(message["id"], method, params)
            except AnswerError as refusal:
                code, text = refusal.args
                error = json.dumps({"code": code, "message": text})
                self.write(f'{{"jsonrpc":"2.0","id":{message["id"]},"error":{error}}}')
        if "deaf" in self.modes and method == "tools/list":
            time.sleep(3600)

    def take_notification(self, method: str, params: str) -> None:
        if method == "notifications/cancelled":
            self.cancelled += 1
            cancelled = members(params).get("requestId")
            self.listeners = [listener for listener in self.listeners if listener != cancelled]

    def take_request(self, request_id: str, method: str, params: str) -> None:
        opened = members(params)
        self.check_era(method, opened)
        if method == "tools/call":
            self.call(request_id, opened)
            return
        if method == "subscriptions/listen" and self.options.era == "stateless":
            self.listen(request_id, opened)
            return
        self.answer(request_id, self.ask(method, opened))

    def check_era(self, method: str, params: dict[str, str]) -> None:
        own = {"initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe"}
        if self.options.era == "handshake":
            if method == "server/discover":
                raise AnswerError(-32601, "Method not found")
        elif method in own:
            raise AnswerError(-32601, "Method not found")
        else:
            version = members(params.get("_meta", "{}")).get(META + "protocolVersion")
            if version is None:
                raise AnswerError(-32602, "_meta without protocolVersion")
            if json.loads(version) != STATELESS:
                raise AnswerError(-32022, "Unsupported protocol version")

    def listen(self, request_id: str, params: dict[str, str]) -> None:
        """Acknowledge; the answer itself never comes."""
        self.listeners.append(request_id)
        meta = f'"_meta":{{"{META}subscriptionId":{request_id}}}'
        wanted = params.get("notifications", "{}")
        self.notify("notifications/subscriptions/acknowledged", f'{{{meta},"notifications":{wanted}}}')

    def take_answer(self, message: dict[str, str]) -> None:
        """Our client answered the request that a call waits for."""
        request_id, tool = self.asked.pop(json.loads(message["id"]), ("", ""))
        if request_id:
            self.answer(request_id, self.echo(tool, message.get("result") or message.get("error", "{}")))

    # Calls

    def call(self, request_id: str, params: dict[str, str]) -> None:
        tool = json.loads(params["name"])
        if tool not in self.tools:
            raise AnswerError(-32602, f"Unknown tool: {tool}")
        self.misbehave(request_id)
        if tool == "cancelled":
            self.answer(request_id, self.echo(tool, str(self.cancelled)))
        elif "hang-call" in self.modes:
            return
        elif tool == "grow":
            self.tools.append(f"grown_{len(self.tools)}")
            self.announce()
            self.answer(request_id, self.echo(tool, json.dumps(self.tools[-1])))
        elif "sample" in self.modes:
            self.sample(request_id, tool, params)
        else:
            if "talk" in self.modes:
                self.talk(params)
            result = self.echo(tool, params.get("arguments", "{}"))
            if self.options.delay_call:
                timer = threading.Timer(self.options.delay_call, self.answer, (request_id, result))
                timer.daemon = True
                timer.start()
            else:
                self.answer(request_id, result)
        if "answer-and-die" in self.modes:
            os._exit(5)

    def echo(self, tool: str, arguments: str) -> str:
        """The result of every tool."""
        about = json.dumps({"server": self.options.name, "tool": tool, "pid": os.getpid()})
        text = json.dumps([{"type": "text", "text": arguments}])
        return f'{{"content":{text},"structuredContent":{about[:-1]},"arguments":{arguments}}},"x-vendor":1}}'

    def misbehave(self, request_id: str) -> None:
        """What a call may run into."""
        if "die-call" in self.modes:
            self.write_bytes(b"scripted: died in a call\n", 2)
            os._exit(4)
        if "segv-call" in self.modes:
            os.kill(os.getpid(), signal.SIGSEGV)
            time.sleep(60)
        filler = b"x" * self.options.size
        if "huge-line" in self.modes:
            head = b'{"jsonrpc":"2.0","id":%b,"result":{"x":"' % request_id.encode()
            self.write_bytes(head + filler + b'"}}\n')
        elif "huge-line-last" in self.modes:
            self.write_bytes(
                b'{"result":{"x":"%b"},"jsonrpc":"2.0","id":%b}\n' % (filler, request_id.encode())
            )
        while "endless-line" in self.modes:
            self.write_bytes(filler)

    def talk(self, params: dict[str, str]) -> None:
        token = members(params.get("_meta", "{}")).get("progressToken")
        if token:
            for step in (1, 2):
                self.notify(
                    "notifications/progress", f'{{"progressToken":{token},"progress":{step},"total":2}}'
                )
        self.notify("notifications/message", '{"level":"info","data":"called"}')

    def sample(self, request_id: str, tool: str, params: dict[str, str]) -> None:
        wanted = {"messages": [{"role": "user", "content": {"type": "text", "text": "?"}}], "maxTokens": 9}
        if self.options.era == "handshake":
            own_id = f"sample-{len(self.asked)}-{request_id}"
            self.asked[own_id] = (request_id, tool)
            self.write(
                f'{{"jsonrpc":"2.0","id":"{own_id}","method":"sampling/createMessage","params":{json.dumps(wanted)}}}'
            )
        elif "inputResponses" in params:
            self.answer(request_id, self.echo(tool, params["inputResponses"]))
        else:
            request = {"method": "sampling/createMessage", "params": wanted}
            asked = {"resultType": "input_required", "inputRequests": {"s": request}, "requestState": "state"}
            self.answer(request_id, json.dumps(asked))


def _ignore_signals() -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def _start_grandchild(*, apart: bool) -> None:
    """A process that ignores every polite signal; `apart`: orphaned, in its own session, holding stdout."""
    pid = os.fork()
    if pid:
        if apart:
            os.waitpid(pid, 0)
        return
    if apart:
        os.setsid()
        if os.fork():
            os._exit(0)
    else:
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
    _ignore_signals()
    time.sleep(600)
    os._exit(0)


def _repeat(server: Server, data: bytes, channel: int) -> None:
    threading.Thread(target=_repeat_forever, args=(server, data, channel), daemon=True).start()


def _repeat_forever(server: Server, data: bytes, channel: int) -> None:
    while True:
        server.write_bytes(data, channel)


def main() -> None:
    options = Options(sys.argv[1:])
    modes = options.modes
    if "crash-start" in modes:
        sys.stderr.write("scripted: cannot find its database\n")
        raise SystemExit(3)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    for mode, apart in (("grandchild", False), ("daemon", True)):
        if mode in modes:
            _start_grandchild(apart=apart)
    if "stay" in modes:
        _ignore_signals()
    time.sleep(options.delay_start)
    server = Server(options)
    if "noise" in modes:
        server.write_bytes(b"\xef\xbb\xbfscripted 1.0\n")
    if "noise-flood" in modes:
        _repeat(server, b"compiling module 17 of 23, please wait\n" * 1000, 1)
    if "stderr-flood" in modes:
        _repeat(Server(options), b"warning: the flux capacitor is warm\n" * 1000, 2)
    if "storm" in modes:
        change = b'{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}\n'
        _repeat(server, change * 100, 1)
    server.serve()
    if "stay" in modes:
        time.sleep(600)


if __name__ == "__main__":
    main()
