"""What a scripted server is told to offer, and its answers to everything but calls; see `scripted.py`."""

import json

HANDSHAKE = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
STATELESS = "2026-07-28"
META = "io.modelcontextprotocol/"
_decode = json.JSONDecoder().raw_decode


class Options:
    """The command line: `--mode` repeats, all others are given once."""

    def __init__(self, argv: list[str]) -> None:
        values: dict[str, list[str]] = {}
        for flag, value in zip(argv[::2], argv[1::2], strict=True):
            values.setdefault(flag.removeprefix("--"), []).append(value)

        def one(name: str, default: str) -> str:
            return values.pop(name, [default])[-1]

        self.modes = frozenset(values.pop("mode", []))
        self.era = one("era", "handshake")
        self.revision = one("revision", HANDSHAKE[0])
        """The newest handshake revision that it speaks."""
        self.name = one("name", "scripted")
        self.tools = int(one("tools", "1"))
        self.prompts = int(one("prompts", "0"))
        self.resources = int(one("resources", "0"))
        self.templates = int(one("templates", "0"))
        self.collide_uri = one("collide-uri", "")
        """One more resource with this URI."""
        self.instructions = one("instructions", "")
        self.page = int(one("page", "1000"))
        """Entries on one page of a list."""
        self.delay_start = float(one("delay-start", "0"))
        """Seconds of sleep before it reads anything."""
        self.delay_call = float(one("delay-call", "0"))
        """Seconds until a tools/call is answered; calls overlap."""
        self.size = int(one("size", str(20 << 20)))
        if values:
            raise SystemExit(f"scripted.py: unknown flags {sorted(values)}")


def members(text: str) -> dict[str, str]:
    """The members of a JSON object, each value as the text that it is."""
    found: dict[str, str] = {}
    at = text.index("{") + 1
    while True:
        at = _skip(text, at)
        if text[at] == "}":
            return found
        key, at = _decode(text, at)
        at = _skip(text, _skip(text, at) + 1)
        _, end = _decode(text, at)
        found[key] = text[at:end]
        at = _skip(text, end)
        at += text[at] == ","


def _skip(text: str, at: int) -> int:
    while text[at] in " \t\r\n":
        at += 1
    return at


class AnswerError(Exception):
    """An error answer: code, message."""


class Offer:
    """Tools, prompts and resources, and the requests about them. A handler takes the members of the params."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.modes = options.modes
        self.tools = ["echo", *(f"tool_{number}" for number in range(1, options.tools))][: options.tools]
        self.tools += [tool for tool, mode in _EXTRA_TOOLS.items() if mode in self.modes]

    def ask(self, method: str, params: dict[str, str]) -> str:
        """The result of a request; raises AnswerError."""
        handler = _HANDLERS.get(method)
        if handler is None:
            raise AnswerError(-32601, "Method not found")
        return handler(self, params)

    def initialize(self, params: dict[str, str]) -> str:
        wanted = json.loads(params.get("protocolVersion", '""'))
        known = HANDSHAKE[HANDSHAKE.index(self.options.revision) :]
        return json.dumps(
            {
                "protocolVersion": wanted if wanted in known else known[0],
                "capabilities": self.capabilities(),
                "serverInfo": self.info(),
                **({"instructions": self.options.instructions} if self.options.instructions else {}),
            }
        )

    def discover(self, _: dict[str, str]) -> str:
        return json.dumps(
            {
                "supportedVersions": [STATELESS],
                "capabilities": self.capabilities(),
                **({"instructions": self.options.instructions} if self.options.instructions else {}),
                "ttlMs": 3_600_000,
                "cacheScope": "public",
                "_meta": {META + "serverInfo": self.info()},
            }
        )

    def info(self) -> dict[str, str]:
        return {"name": self.options.name, "version": "1.0.0"}

    def capabilities(self) -> dict[str, object]:
        options = self.options
        offered: dict[str, object] = {"logging": {}, "completions": {}}
        if self.tools:
            offered["tools"] = {"listChanged": True}
        if options.prompts:
            offered["prompts"] = {"listChanged": True}
        if options.resources or options.templates or options.collide_uri:
            offered["resources"] = {"listChanged": True, "subscribe": True}
        return offered

    def page(self, key: str, entries: list[dict[str, object]], params: dict[str, str]) -> str:
        start = int(json.loads(params.get("cursor", '"0"')))
        end = start + self.options.page
        result: dict[str, object] = {key: entries[start:end]}
        if key == "tools" and "endless-list" in self.modes:
            result = {key: entries, "nextCursor": str(end)}
        elif end < len(entries):
            result["nextCursor"] = str(end)
        if self.options.era == "stateless":
            result |= {"ttlMs": 60_000, "cacheScope": "public"}
        return json.dumps(result)

    def list_tools(self, params: dict[str, str]) -> str:
        schema = {"type": "object", "additionalProperties": True}
        return self.page(
            "tools",
            [
                {
                    "name": tool,
                    "description": f"{tool} of {self.options.name}",
                    "inputSchema": schema,
                    "x-vendor": 1,
                }
                for tool in self.tools
            ],
            params,
        )

    def list_prompts(self, params: dict[str, str]) -> str:
        names = [f"prompt_{number}" for number in range(self.options.prompts)]
        arguments = [{"name": "topic", "required": False}]
        return self.page("prompts", [{"name": name, "arguments": arguments} for name in names], params)

    def uris(self) -> list[str]:
        own = [f"scripted://{self.options.name}/{number}" for number in range(self.options.resources)]
        return own + ([self.options.collide_uri] if self.options.collide_uri else [])

    def list_resources(self, params: dict[str, str]) -> str:
        return self.page("resources", [{"uri": uri, "name": uri} for uri in self.uris()], params)

    def list_templates(self, params: dict[str, str]) -> str:
        templates = [
            f"scripted-{number}://{self.options.name}/{{id}}" for number in range(self.options.templates)
        ]
        return self.page(
            "resourceTemplates", [{"uriTemplate": each, "name": each} for each in templates], params
        )

    def read(self, params: dict[str, str]) -> str:
        uri = json.loads(params["uri"])
        if uri not in self.uris() and not (uri.startswith("scripted-") and self.options.templates):
            raise AnswerError(-32602 if self.options.era == "stateless" else -32002, "Resource not found")
        contents = [{"uri": uri, "mimeType": "text/plain", "text": f"{uri} read from {self.options.name}"}]
        cache = {"ttlMs": 0, "cacheScope": "private"} if self.options.era == "stateless" else {}
        return json.dumps({"contents": contents, **cache})

    def get_prompt(self, params: dict[str, str]) -> str:
        text = f"{json.loads(params['name'])} of {self.options.name}: {params.get('arguments', '{}')}"
        return json.dumps({"messages": [{"role": "user", "content": {"type": "text", "text": text}}]})

    def complete(self, params: dict[str, str]) -> str:
        value = json.loads(params["argument"])["value"]
        return json.dumps({"completion": {"values": [value + end for end in "abc"], "hasMore": False}})

    def nothing(self, _: dict[str, str]) -> str:
        return "{}"


_EXTRA_TOOLS = {"cancelled": "hang-call", "grow": "grow"}
_HANDLERS = {
    "initialize": Offer.initialize,
    "server/discover": Offer.discover,
    "ping": Offer.nothing,
    "logging/setLevel": Offer.nothing,
    "resources/subscribe": Offer.nothing,
    "resources/unsubscribe": Offer.nothing,
    "tools/list": Offer.list_tools,
    "prompts/list": Offer.list_prompts,
    "prompts/get": Offer.get_prompt,
    "resources/list": Offer.list_resources,
    "resources/templates/list": Offer.list_templates,
    "resources/read": Offer.read,
    "completion/complete": Offer.complete,
}
