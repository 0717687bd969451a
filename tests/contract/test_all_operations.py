"""The route table against the published list of operations."""

from __future__ import annotations

from hordenode.api.routes import ROUTES
from tests.contract.schema import API


def test_every_published_operation_has_a_route() -> None:
    served = {(route.method, route.path.replace(":path}", "}")) for route in ROUTES}
    published = {(route["method"], route["path"]) for route in API["routes"]}
    assert len(published) == 90
    assert published - served == set()
