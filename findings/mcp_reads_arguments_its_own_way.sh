#!/usr/bin/env bash
# One would guess: a tool gets the arguments that the client sent, and a client that misspells an optional one is
#   told.
# What happens: an unknown argument is ignored in silence and the default used (`limit=3` for a parameter `k=5`
#   answers with 5); a text for a parameter `str | None` arrives as None when it reads null, and one for `str |
#   list[str]` as a list when it looks like a JSON list, though both are valid texts.
# Who it hurts: search tools: agents guess names of arguments, and people search for the word null. Take plain `str`
#   parameters; refuse unknown names oneself.
# Seen with mcp 2.3.0, pydantic 2.14.4, Python 3.11, on 2026-11-28.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q mcp==2.3.0 pydantic==2.14.4
venv/bin/python - <<'PY'
import asyncio
import json
import logging

from mcp import Client
from mcp.server import MCPServer

logging.disable(logging.CRITICAL)
server = MCPServer('findings')


@server.tool()
def search(question: str, k: int = 5) -> dict: return dict(question=question, k=k)


@server.tool()
def maybe(question: str | None = 'default') -> dict: return dict(question=question)


@server.tool()
def several(question: str | list[str]) -> dict: return dict(question=question)


async def main():
    async with Client(server) as client:
        async def ask(name, **arguments):
            result = await client.call_tool(name, arguments)
            answer = json.loads(result.content[0].text)
            print(name, arguments, '->', answer, 'is_error', result.is_error)
            return answer
        assert await ask('search', question='x', limit=3) == dict(question='x', k=5)
        assert await ask('search', question='null') == dict(question='null', k=5)
        assert await ask('maybe', question='null') == dict(question=None)
        assert await ask('several', question='["a", "b"]') == dict(question=['a', 'b'])


asyncio.run(main())
PY
