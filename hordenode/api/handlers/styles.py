"""Styles, their examples, and collections of them. Image and text styles share what they can: routes.py says which kind."""

from __future__ import annotations

from hordenode.api.handlers import caller_of, horde
from hordenode.api.route import Call
from hordenode.coordinator import collections, examples, styles
from hordenode.domain.entities import Kind
from hordenode.protocol.common import SimpleAnswer
from hordenode.protocol.styles import (
    CollectionDetails,
    CollectionInput,
    CollectionPatch,
    ImageStyle,
    StyleExampleInput,
    StyleExamplePatch,
    StyleInput,
    StyleModified,
    StylePatch,
    TextStyle,
)


async def list_styles(kind: Kind, call: Call, _: None) -> list[ImageStyle | TextStyle]:
    return await styles.list_styles(horde(call), kind, call.query)


async def style(kind: Kind, call: Call, _: None) -> ImageStyle | TextStyle:
    return await styles.style_by_id(horde(call), kind, call.path_params["style_id"])


async def style_by_name(kind: Kind, call: Call, _: None) -> ImageStyle | TextStyle:
    return await styles.style_by_name(horde(call), kind, call.path_params["style_name"])


async def create_style(kind: Kind, call: Call, body: StyleInput) -> StyleModified:
    return await styles.create_style(horde(call), caller_of(call), kind, body)


async def edit_style(kind: Kind, call: Call, body: StylePatch) -> StyleModified:
    return await styles.edit_style(horde(call), caller_of(call), kind, call.path_params["style_id"], body)


async def delete_style(kind: Kind, call: Call, _: None) -> SimpleAnswer:
    await styles.delete_style(horde(call), caller_of(call), kind, call.path_params["style_id"])
    return SimpleAnswer()


async def add_example(call: Call, body: StyleExampleInput) -> StyleModified:
    return await examples.add_example(horde(call), caller_of(call), call.path_params["style_id"], body)


async def edit_example(call: Call, body: StyleExamplePatch) -> StyleModified:
    style_id, example_id = call.path_params["style_id"], call.path_params["example_id"]
    return await examples.edit_example(horde(call), caller_of(call), style_id, example_id, body)


async def delete_example(call: Call, _: None) -> SimpleAnswer:
    style_id, example_id = call.path_params["style_id"], call.path_params["example_id"]
    await examples.delete_example(horde(call), caller_of(call), style_id, example_id)
    return SimpleAnswer()


async def list_collections(call: Call, _: None) -> list[CollectionDetails]:
    return await collections.list_collections(horde(call), call.query)


async def collection(call: Call, _: None) -> CollectionDetails:
    return await collections.collection_by_id(horde(call), call.path_params["collection_id"])


async def collection_by_name(call: Call, _: None) -> CollectionDetails:
    return await collections.collection_by_name(horde(call), call.path_params["collection_name"])


async def create_collection(call: Call, body: CollectionInput) -> StyleModified:
    return await collections.create_collection(horde(call), caller_of(call), body)


async def edit_collection(call: Call, body: CollectionPatch) -> StyleModified:
    return await collections.edit_collection(horde(call), caller_of(call), call.path_params["collection_id"], body)


async def delete_collection(call: Call, _: None) -> SimpleAnswer:
    await collections.delete_collection(horde(call), caller_of(call), call.path_params["collection_id"])
    return SimpleAnswer()
