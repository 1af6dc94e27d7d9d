#!/usr/bin/env bash
# One would guess: what a tool raises reaches the agent as text, a tool declared `-> float` may return NaN like any
#   float, and one declared `-> dict` has structured content.
# What happens: the client reads only 'Error executing tool NAME' (raise ToolError to say more); NaN makes the server
#   send a null that its own schema forbids, so that the client raises RuntimeError; `-> dict` gives text only
#   (structured content needs dict[str, ...], a TypedDict or a model), and NaN in it is written as the word NaN, which
#   is no JSON.
# Who it hurts: servers whose scores may be undefined, and whose error lines say what to do. Check numbers before
#   returning them; raise ToolError; annotate results fully.
# Seen with mcp 2.3.0, pydantic 2.14.4, Python 3.11, on 2026-11-28.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q mcp==2.3.0 pydantic==2.14.4
venv/bin/python - <<'PY'
import asyncio
import logging

from mcp import Client
from mcp.server import MCPServer

logging.disable(logging.CRITICAL)
server = MCPServer('findings')


@server.tool()
def fails() -> str: raise ValueError('no index at notes/: build it first')


@server.tool()
def score() -> float: return float('nan')


@server.tool()
def scores() -> dict: return dict(score=float('nan'))


@server.tool()
def typed() -> dict[str, str]: return dict(answer='yes')


async def main():
    async with Client(server) as client:
        failed = await client.call_tool('fails', {})
        print('an error arrives as', failed.content[0].text)
        assert failed.is_error and 'build it first' not in failed.content[0].text
        try: await client.call_tool('score', {})
        except RuntimeError as e: print('NaN:', str(e).splitlines()[0])
        else: raise AssertionError('a NaN went through')
        untyped, typed_result = await client.call_tool('scores', {}), await client.call_tool('typed', {})
        print('-> dict:', untyped.structured_content, repr(untyped.content[0].text), '-> dict[str, str]:', typed_result.structured_content)
        assert untyped.structured_content is None and 'NaN' in untyped.content[0].text
        assert typed_result.structured_content == dict(answer='yes')


asyncio.run(main())
PY
