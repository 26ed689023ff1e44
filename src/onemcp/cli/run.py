"""`1mcp run`: call one tool of the running gateway and print what it answers.

Exit code 0 for an answer, 1 for an error (its reason goes to standard error), 2 for arguments that are not JSON.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NoReturn

from onemcp.cli.arguments import Parser
from onemcp.cli.control import add_reach, gateway, member, print_json
from onemcp.cli.outcome import CommandError, Exit
from onemcp.cli.text import one_line, plain

_TIMEOUT: Final = 120.0
_KIBI: Final = 1024


def define(parser: Parser) -> None:
    """The command's arguments."""
    parser.add_argument("target", metavar="SERVER/TOOL", help="as `1mcp inspect SERVER` shows it")
    parser.add_argument(
        "--args", default="{}", metavar="JSON", help="a JSON object; @FILE to read it, - for standard input"
    )
    parser.add_argument(
        "--timeout",
        type=float,
        default=_TIMEOUT,
        metavar="SECONDS",
        help=f"longest wait (default {_TIMEOUT:g})",
    )
    parser.add_argument("--json", action="store_true", help="print the result as it came")
    add_reach(parser)


def run(args: argparse.Namespace, environ: Mapping[str, str]) -> Exit:
    """Call the tool and print its result.

    Raises:
        CommandError: the call could not be made, or failed.
    """
    server, slash, tool = args.target.partition("/")
    if not (server and slash and tool):
        raise CommandError(
            f"{args.target} is not SERVER/TOOL", "see 1mcp inspect for what there is", Exit.USAGE
        )
    arguments = read_arguments(args.args)
    body = gateway(args, environ).run(server, tool, arguments, args.timeout)
    answer = json.loads(body)
    if "error" in answer:
        raise _failed(answer["error"])
    result = answer["result"]
    if args.json:
        print_json(member(body, "result"))
    failed = result.get("isError") is True
    if not args.json:
        print(render(result), file=sys.stderr if failed else sys.stdout)
    return Exit.FAILED if failed else Exit.OK


def _failed(error: Any) -> CommandError:
    message = error.get("message") if isinstance(error, Mapping) else error
    return CommandError(one_line(str(message)))


def read_arguments(text: str) -> str:
    """The JSON object that `--args` means, as it was written.

    Raises:
        CommandError: it cannot be read, or is no JSON object; exit code 2.
    """
    place = "--args"
    if text == "-":
        place, text = "standard input", sys.stdin.read()
    elif text.startswith("@"):
        place = text[1:]
        try:
            text = Path(place).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{place} cannot be read: {error}", code=Exit.USAGE) from error
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise CommandError(
            f"{place} is not JSON: line {error.lineno} column {error.colno}: {error.msg}",
            'it takes an object, as --args \'{"timezone":"UTC"}\'',
            Exit.USAGE,
        ) from error
    except RecursionError as error:
        raise CommandError(f"{place} is nested too deeply", code=Exit.USAGE) from error
    if not isinstance(value, dict):
        raise CommandError(
            f"{place} is JSON, but not an object",
            'it takes an object, as --args \'{"timezone":"UTC"}\'',
            Exit.USAGE,
        )
    return text


def _refuse_constant(word: str) -> NoReturn:
    raise CommandError(f"--args is not JSON: {word} is no JSON value", code=Exit.USAGE)


def render(result: Mapping[str, Any]) -> str:
    """The content of a tool's result for a person: text as it is, everything else summarised."""
    content = result.get("content")
    parts = (
        [_block(block) for block in content if isinstance(block, Mapping)]
        if isinstance(content, list)
        else []
    )
    if not parts:
        return plain(json.dumps(result.get("structuredContent", result), ensure_ascii=False, indent=2))
    return "\n".join(parts)


def _block(block: Mapping[str, Any]) -> str:
    kind = block.get("type")
    if kind == "text":
        return plain(str(block.get("text", "")))
    if kind == "resource_link":
        return one_line(f"[resource link: {block.get('uri')} {block.get('name', '')}".rstrip() + "]")
    if kind == "resource" and isinstance(block.get("resource"), Mapping):
        resource = block["resource"]
        if isinstance(resource.get("text"), str):
            return plain(resource["text"])
        return one_line(f"[resource: {resource.get('uri')} {_size(resource.get('blob'))}]")
    if kind in ("image", "audio"):
        return one_line(f"[{kind}: {block.get('mimeType')} {_size(block.get('data'))}]")
    return one_line(f"[{kind}: see --json]")


def _size(encoded: Any) -> str:
    """About how many bytes a base64 text holds."""
    size = len(encoded) * 3 // 4 if isinstance(encoded, str) else 0
    return f"{size / _KIBI:.1f} KiB" if size >= _KIBI else f"{size} bytes"
