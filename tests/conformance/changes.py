"""Lists that change on demand, and who is told of it in either era."""

from typing import Final

from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler
from mcp.shared.subscriptions import PromptsListChanged, ToolsListChanged
from tests.conformance.conversation import STATELESS, Context


class Changes:
    """An entry of each list comes and goes: `tool` and `prompt` say whether it is there."""

    def __init__(self) -> None:
        self._bus: Final = InMemorySubscriptionBus()
        self.listen: Final = ListenHandler(self._bus)
        self.tool = False
        self.prompt = False

    async def tools_changed(self, ctx: Context) -> None:
        """Change the tools and say so: to the session, or on all streams that listen."""
        self.tool = not self.tool
        if ctx.protocol_version == STATELESS:
            await self._bus.publish(ToolsListChanged())
        else:
            await ctx.session.send_tool_list_changed()

    async def prompts_changed(self, ctx: Context) -> None:
        """Change the prompts and say so."""
        self.prompt = not self.prompt
        if ctx.protocol_version == STATELESS:
            await self._bus.publish(PromptsListChanged())
        else:
            await ctx.session.send_prompt_list_changed()
