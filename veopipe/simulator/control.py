"""The control surface: the simulator's ledger and wire log, faults and wallet, for tests and for people.

It is served under `/_simulator/` beside the gateway, asks for no key and isn't in the wire log.
"""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

from veopipe.simulator.answers import json_of
from veopipe.simulator.faults import UnknownFault
from veopipe.simulator.gateway import CONTROL, Gateway, in_money
from veopipe.simulator.wire import respond


def add_to(app: web.Application, gateway: Gateway) -> None:
    """Serve the control surface of `gateway` in `app`."""
    desk = _Desk(gateway)
    app.router.add_get(f"{CONTROL}ledger", desk.ledger)
    app.router.add_get(f"{CONTROL}wire", desk.wire)
    app.router.add_get(f"{CONTROL}faults", desk.faults)
    app.router.add_post(f"{CONTROL}faults", desk.order)
    app.router.add_delete(f"{CONTROL}faults", desk.clear)
    app.router.add_post(f"{CONTROL}wallet", desk.wallet)


class _Desk:
    """The handlers; each is one sentence of the module's docstring."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def ledger(self, request: web.Request) -> web.Response:
        book = self._gateway.book
        wallet = None if book.wallet is None else str(book.wallet)
        value = {"creates": book.creates, "charged_usd": str(book.charged_usd), "wallet_usd": wallet}
        return respond(request, json_of(200, value))

    async def wire(self, request: web.Request) -> web.Response:
        return respond(request, json_of(200, {"requests": self._gateway.wire.as_json()}))

    async def faults(self, request: web.Request) -> web.Response:
        known = [
            {"fault": fault.name, "stage": fault.stage, "about": fault.about, **fault.parameters}
            for fault in self._gateway.mischief.table.values()
        ]
        return respond(request, json_of(200, {"ordered": self._gateway.mischief.listed(), "known": known}))

    async def order(self, request: web.Request) -> web.Response:
        try:
            options = await _json(request)
            order = self._gateway.mischief.order(str(options.pop("fault", "")), options)
        except UnknownFault as error:
            return respond(request, json_of(400, {"error": str(error)}))
        return respond(request, json_of(200, order.as_json()))

    async def clear(self, request: web.Request) -> web.Response:
        self._gateway.forget_faults()
        return respond(request, json_of(200, {"ordered": []}))

    async def wallet(self, request: web.Request) -> web.Response:
        try:
            amount = in_money((await _json(request)).get("usd"))
        except ValueError as error:
            return respond(request, json_of(400, {"error": f"usd: {error}"}))
        self._gateway.fill_wallet(amount)
        return respond(request, json_of(200, {"wallet_usd": None if amount is None else str(amount)}))


async def _json(request: web.Request) -> dict[str, Any]:
    try:
        value = json.loads(await request.read())
    except (ValueError, RecursionError):
        raise UnknownFault("the body isn't JSON") from None
    if not isinstance(value, dict):
        raise UnknownFault("the body must be a JSON object")
    return value
