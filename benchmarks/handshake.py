"""The beginning of a handshake session, as a client does it."""

from benchmarks import messages
from benchmarks.channels import Channel, ask

INITIALIZED = b'{"jsonrpc":"2.0","method":"notifications/initialized"}'


async def open_session(channel: Channel) -> dict[str, str]:
    """Begin a handshake session; returns the headers that its further requests carry.

    Raises:
        ConnectionError: the server did not open one.
    """
    number = next(messages.numbers)
    template = messages.Template(messages.post(messages.initialize_body()), messages.proof_of("initialize"))
    request, proof = template.numbered(number)
    answer = await ask(channel, number, request)
    head, _, content = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200") or proof not in content:
        raise ConnectionError(f"initialize was answered with {answer[:300]!r}")
    headers = dict(messages.HANDSHAKE_HEADERS)
    for line in head.decode("latin-1").split("\r\n")[1:]:
        name, _, value = line.partition(":")
        if name.lower() == "mcp-session-id":
            headers["mcp-session-id"] = value.strip()
    await ask(channel, 0, messages.post(INITIALIZED, headers))
    return headers
