"""A client of the recipe's MCP server: `mcp_client.py ADDRESS`, where the activator listens.

With sessions, as clients had them at first, and without.
"""

import asyncio
import sys

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client


async def main(address):
    async with httpx2.AsyncClient(headers={"Host": "mcp.localhost"}, timeout=20) as http:
        for mode in ["legacy", "auto"]:
            transport = streamable_http_client(f"http://{address}/mcp", http_client=http)
            async with Client(transport, mode=mode) as client:
                result = await client.call_tool("add", {"a": 2, "b": 3})
                assert result.structured_content == {"result": 5}, result
                print(client.protocol_version, result.content[0].text)


asyncio.run(main(*sys.argv[1:]))
