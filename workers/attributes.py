"""The search attributes that runs are found by, made known to the namespace."""

from __future__ import annotations

from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from workflows.board import ATTRIBUTES


async def registered(client: Client) -> bool:
    """Registers what is missing; False where that is not allowed, and runs then do without."""
    try:
        known = await client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace=client.namespace)
        )
        missing = [key for key in ATTRIBUTES if key.name not in known.custom_attributes]
        if missing:
            types = {key.name: int(key.indexed_value_type) for key in missing}
            wanted = AddSearchAttributesRequest(namespace=client.namespace, search_attributes=types)  # type: ignore[arg-type]
            await client.operator_service.add_search_attributes(wanted)
    except RPCError as error:
        return error.status == RPCStatusCode.ALREADY_EXISTS
    return True
