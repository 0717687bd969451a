"""All operations of the API in one table. Adding one is a line here, a handler, a use case and its statements."""

from __future__ import annotations

from functools import partial

from hordenode.api.handlers import (
    accounts,
    blobs,
    description,
    events,
    filters,
    generate,
    interrogate,
    kudos,
    messages,
    metrics,
    people,
    register,
    sharedkeys,
    status,
    styles,
    teams,
)
from hordenode.api.route import Auth, RawRoute, Route
from hordenode.domain.entities import Kind
from hordenode.protocol.alchemy import (
    AlchemyAccepted,
    AlchemyJob,
    AlchemyPop,
    AlchemyRequest,
    AlchemyStatus,
    AlchemySubmit,
)
from hordenode.protocol.common import (
    DryRunAnswer,
    RequestAccepted,
    RequestCheck,
    SimpleAnswer,
    SubmitAnswer,
    WaitQuery,
)
from hordenode.protocol.events import JobReport
from hordenode.protocol.filters import (
    FilterDetails,
    FilterInput,
    FilterPatch,
    FilterRegex,
    FilterRegexQuery,
    FiltersQuery,
    FilterTest,
    PromptSuspicion,
)
from hordenode.protocol.image import ImageJob, ImagePop, ImageRequest, ImageStatus, ImageSubmit
from hordenode.protocol.keys import Account, InvitationMade, KeyDetails, KeyMade, NewAccount, NewInvitation, NewKey
from hordenode.protocol.kudos import KudosAwarded, KudosRequest, KudosTransferred, LedgerPage, LedgerQuery
from hordenode.protocol.sharedkeys import SharedKeyDetails, SharedKeyInput, SharedKeyPatch
from hordenode.protocol.statistics import ImageTotals, ModelTotals, ModelTotalsQuery, TextTotals
from hordenode.protocol.status import ActiveModel, Heartbeat, ModelsQuery, Performance
from hordenode.protocol.styles import (
    CollectionDetails,
    CollectionInput,
    CollectionPatch,
    CollectionsQuery,
    ImageStyle,
    ImageStyleInput,
    ImageStylePatch,
    StyleExampleInput,
    StyleExamplePatch,
    StyleModified,
    StylesQuery,
    TextStyle,
    TextStyleInput,
    TextStylePatch,
)
from hordenode.protocol.teams import TeamDeleted, TeamDetails, TeamInput, TeamModified, TeamPatch
from hordenode.protocol.text import TextJob, TextPop, TextRequest, TextStatus, TextSubmit
from hordenode.protocol.users import UserDetails, UserListItem, UserModified, UserModify, UsersQuery
from hordenode.protocol.workers import (
    WorkerDeleted,
    WorkerDetails,
    WorkerMessageDetails,
    WorkerMessageInput,
    WorkerMessagesQuery,
    WorkerModified,
    WorkerModify,
    WorkersQuery,
)

V2 = "/api/v2"
NODE = "/api/node/v1"  # what v2 cannot carry (ARCHITECTURE 3.14)
KEY = Auth.KEY
IMAGE, TEXT = Kind.IMAGE, Kind.TEXT
ACCEPTED = (RequestAccepted, DryRunAnswer)

ROUTES: tuple[Route | RawRoute, ...] = (
    Route("POST", f"{V2}/generate/async", generate.submit_image, body=ImageRequest, auth=KEY, status=202, answers=ACCEPTED),
    Route("GET", f"{V2}/generate/check/{{id}}", generate.check_image, query=WaitQuery, answers=(RequestCheck,)),
    Route("GET", f"{V2}/generate/status/{{id}}", generate.image_status, query=WaitQuery, answers=(ImageStatus,)),
    Route("DELETE", f"{V2}/generate/status/{{id}}", generate.cancel_image, answers=(ImageStatus,)),
    Route("POST", f"{V2}/generate/pop", generate.pop_image, body=ImagePop, query=WaitQuery, auth=KEY, answers=(ImageJob,)),
    Route("POST", f"{V2}/generate/submit", generate.submit_image_job, body=ImageSubmit, auth=KEY, answers=(SubmitAnswer,)),
    Route("POST", f"{V2}/generate/text/async", generate.submit_text, body=TextRequest, auth=KEY, status=202, answers=ACCEPTED),
    Route("GET", f"{V2}/generate/text/status/{{id}}", generate.text_status, query=WaitQuery, answers=(TextStatus,)),
    Route("DELETE", f"{V2}/generate/text/status/{{id}}", generate.cancel_text, answers=(TextStatus,)),
    Route("POST", f"{V2}/generate/text/pop", generate.pop_text, body=TextPop, query=WaitQuery, auth=KEY, answers=(TextJob,)),
    Route("POST", f"{V2}/generate/text/submit", generate.submit_text_job, body=TextSubmit, auth=KEY, answers=(SubmitAnswer,)),
    Route("POST", f"{V2}/interrogate/async", interrogate.submit, body=AlchemyRequest, auth=KEY, status=202, answers=(AlchemyAccepted,)),
    Route("GET", f"{V2}/interrogate/status/{{id}}", interrogate.status, query=WaitQuery, answers=(AlchemyStatus,)),
    Route("DELETE", f"{V2}/interrogate/status/{{id}}", interrogate.cancel, answers=(AlchemyStatus,)),
    Route("POST", f"{V2}/interrogate/pop", interrogate.pop, body=AlchemyPop, query=WaitQuery, auth=KEY, answers=(AlchemyJob,)),
    Route("POST", f"{V2}/interrogate/submit", interrogate.submit_form, body=AlchemySubmit, auth=KEY, answers=(SubmitAnswer,)),
    Route("GET", f"{V2}/styles/image", partial(styles.list_styles, IMAGE), query=StylesQuery, answers=(list[ImageStyle],)),
    Route("POST", f"{V2}/styles/image", partial(styles.create_style, IMAGE), body=ImageStyleInput, auth=KEY, answers=(StyleModified,)),
    Route("GET", f"{V2}/styles/image/{{style_id}}", partial(styles.style, IMAGE), answers=(ImageStyle,)),
    Route("PATCH", f"{V2}/styles/image/{{style_id}}", partial(styles.edit_style, IMAGE), body=ImageStylePatch, auth=KEY, answers=(StyleModified,)),
    Route("DELETE", f"{V2}/styles/image/{{style_id}}", partial(styles.delete_style, IMAGE), auth=KEY, answers=(SimpleAnswer,)),
    Route("GET", f"{V2}/styles/image_by_name/{{style_name:path}}", partial(styles.style_by_name, IMAGE), answers=(ImageStyle,)),
    Route("GET", f"{V2}/styles/text", partial(styles.list_styles, TEXT), query=StylesQuery, answers=(list[TextStyle],)),
    Route("POST", f"{V2}/styles/text", partial(styles.create_style, TEXT), body=TextStyleInput, auth=KEY, answers=(StyleModified,)),
    Route("GET", f"{V2}/styles/text/{{style_id}}", partial(styles.style, TEXT), answers=(TextStyle,)),
    Route("PATCH", f"{V2}/styles/text/{{style_id}}", partial(styles.edit_style, TEXT), body=TextStylePatch, auth=KEY, answers=(StyleModified,)),
    Route("DELETE", f"{V2}/styles/text/{{style_id}}", partial(styles.delete_style, TEXT), auth=KEY, answers=(SimpleAnswer,)),
    Route("GET", f"{V2}/styles/text_by_name/{{style_name:path}}", partial(styles.style_by_name, TEXT), answers=(TextStyle,)),
    Route("POST", f"{V2}/styles/image/{{style_id}}/example", styles.add_example, body=StyleExampleInput, auth=KEY, answers=(StyleModified,)),
    Route("PATCH", f"{V2}/styles/image/{{style_id}}/example/{{example_id}}", styles.edit_example, body=StyleExamplePatch, auth=KEY, answers=(StyleModified,)),
    Route("DELETE", f"{V2}/styles/image/{{style_id}}/example/{{example_id}}", styles.delete_example, auth=KEY, answers=(SimpleAnswer,)),
    Route("GET", f"{V2}/collections", styles.list_collections, query=CollectionsQuery, answers=(list[CollectionDetails],)),
    Route("POST", f"{V2}/collections", styles.create_collection, body=CollectionInput, auth=KEY, answers=(StyleModified,)),
    Route("GET", f"{V2}/collections/{{collection_id}}", styles.collection, answers=(CollectionDetails,)),
    Route("PATCH", f"{V2}/collections/{{collection_id}}", styles.edit_collection, body=CollectionPatch, auth=KEY, answers=(StyleModified,)),
    Route("DELETE", f"{V2}/collections/{{collection_id}}", styles.delete_collection, auth=KEY, answers=(SimpleAnswer,)),
    Route("GET", f"{V2}/collection_by_name/{{collection_name:path}}", styles.collection_by_name, answers=(CollectionDetails,)),
    Route("GET", f"{V2}/find_user", people.find_user, answers=(UserDetails,)),
    Route("GET", f"{V2}/users", people.list_users, query=UsersQuery, answers=(list[UserListItem],)),
    Route("GET", f"{V2}/users/{{user_id}}", people.user, answers=(UserDetails,)),
    Route("PUT", f"{V2}/users/{{user_id}}", people.edit_user, body=UserModify, auth=KEY, answers=(UserModified,)),
    Route("DELETE", f"{V2}/users/{{user_id}}", people.delete_user, auth=KEY, answers=(SimpleAnswer,)),
    Route("PUT", f"{V2}/sharedkeys", sharedkeys.create, body=SharedKeyInput, auth=KEY, answers=(SharedKeyDetails,)),
    Route("GET", f"{V2}/sharedkeys/{{sharedkey_id}}", sharedkeys.find, answers=(SharedKeyDetails,)),
    Route("PATCH", f"{V2}/sharedkeys/{{sharedkey_id}}", sharedkeys.edit, body=SharedKeyPatch, auth=KEY, answers=(SharedKeyDetails,)),
    Route("DELETE", f"{V2}/sharedkeys/{{sharedkey_id}}", sharedkeys.delete, auth=KEY, answers=(SimpleAnswer,)),
    Route("GET", f"{V2}/workers", people.list_workers, query=WorkersQuery, answers=(list[WorkerDetails],)),
    Route("GET", f"{V2}/workers/{{worker_id}}", people.worker, answers=(WorkerDetails,)),
    Route("PUT", f"{V2}/workers/{{worker_id}}", people.edit_worker, body=WorkerModify, auth=KEY, answers=(WorkerModified,)),
    Route("DELETE", f"{V2}/workers/{{worker_id}}", people.delete_worker, auth=KEY, answers=(WorkerDeleted,)),
    Route("GET", f"{V2}/workers/messages", messages.list_messages, query=WorkerMessagesQuery, auth=KEY, answers=(list[WorkerMessageDetails],)),
    Route("POST", f"{V2}/workers/messages", messages.send, body=WorkerMessageInput, auth=KEY, answers=(WorkerMessageDetails,)),
    Route("GET", f"{V2}/workers/messages/{{message_id}}", messages.find, answers=(WorkerMessageDetails,)),
    Route("DELETE", f"{V2}/workers/messages/{{message_id}}", messages.delete, auth=KEY, answers=(SimpleAnswer,)),
    Route("GET", f"{V2}/teams", teams.list_teams, answers=(list[TeamDetails],)),
    Route("POST", f"{V2}/teams", teams.create, body=TeamInput, auth=KEY, answers=(TeamModified,)),
    Route("GET", f"{V2}/teams/{{team_id}}", teams.find, answers=(TeamDetails,)),
    Route("PATCH", f"{V2}/teams/{{team_id}}", teams.edit, body=TeamPatch, auth=KEY, answers=(TeamModified,)),
    Route("DELETE", f"{V2}/teams/{{team_id}}", teams.delete, auth=KEY, answers=(TeamDeleted,)),
    Route("GET", f"{V2}/workers/name/{{worker_name}}", people.worker_by_name, answers=(WorkerDetails,)),
    Route("POST", f"{V2}/kudos/transfer", kudos.transfer, body=KudosRequest, auth=KEY, answers=(KudosTransferred,)),
    Route("POST", f"{V2}/kudos/award", kudos.award, body=KudosRequest, auth=KEY, answers=(KudosAwarded,)),
    Route("POST", f"{NODE}/users", accounts.register, body=NewAccount, answers=(Account,)),
    Route("POST", f"{NODE}/invitations", accounts.invite, body=NewInvitation, auth=KEY, answers=(InvitationMade,)),
    Route("GET", f"{NODE}/keys", accounts.list_keys, auth=KEY, answers=(list[KeyDetails],)),
    Route("POST", f"{NODE}/keys", accounts.create_key, body=NewKey, auth=KEY, answers=(KeyMade,)),
    Route("DELETE", f"{NODE}/keys/{{name}}", accounts.revoke_key, auth=KEY, answers=(SimpleAnswer,)),
    Route("GET", f"{NODE}/kudos", kudos.page, query=LedgerQuery, auth=KEY, answers=(LedgerPage,)),
    Route("GET", f"{V2}/status/heartbeat", status.heartbeat, answers=(Heartbeat,)),
    Route("GET", f"{V2}/status/performance", status.performance, answers=(Performance,)),
    Route("GET", f"{V2}/status/models", status.models, query=ModelsQuery, answers=(list[ActiveModel],)),
    Route("GET", f"{V2}/status/models/{{model_name:path}}", status.model, answers=(list[ActiveModel],)),
    Route("GET", f"{V2}/stats/img/totals", status.image_totals, answers=(ImageTotals,)),
    Route("GET", f"{V2}/stats/img/models", status.image_model_totals, query=ModelTotalsQuery, answers=(ModelTotals,)),
    Route("GET", f"{V2}/stats/text/totals", status.text_totals, answers=(TextTotals,)),
    Route("GET", f"{V2}/stats/text/models", status.text_model_totals, answers=(ModelTotals,)),
    Route("GET", f"{V2}/filters", filters.list_filters, query=FiltersQuery, auth=KEY, answers=(list[FilterDetails],)),
    Route("PUT", f"{V2}/filters", filters.create_filter, body=FilterInput, auth=KEY, answers=(FilterDetails,)),
    Route("POST", f"{V2}/filters", filters.judge_prompt, body=FilterTest, auth=KEY, answers=(PromptSuspicion,)),
    Route("GET", f"{V2}/filters/regex", filters.list_regexes, query=FilterRegexQuery, auth=KEY, answers=(list[FilterRegex],)),
    Route("GET", f"{V2}/filters/{{filter_id}}", filters.filter_by_id, auth=KEY, answers=(FilterDetails,)),
    Route("PATCH", f"{V2}/filters/{{filter_id}}", filters.edit_filter, body=FilterPatch, auth=KEY, answers=(FilterDetails,)),
    Route("DELETE", f"{V2}/filters/{{filter_id}}", filters.delete_filter, auth=KEY, answers=(SimpleAnswer,)),
    RawRoute("GET", "/api", description.api_page),
    RawRoute("HEAD", "/api", description.api_page),
    Route("GET", "/api/openapi.json", description.openapi_json),
    Route("GET", "/api/swagger.json", description.swagger_json),
    Route("GET", "/.well-known/serviceinfo", status.serviceinfo),
    RawRoute("GET", f"{NODE}/events", events.stream),
    Route("POST", f"{NODE}/jobs/{{id}}/progress", events.report, body=JobReport, auth=KEY, answers=(SimpleAnswer,)),
    RawRoute("GET", "/metrics", metrics.scrape),
    RawRoute("GET", "/register", register.show),
    RawRoute("POST", "/register", register.submit),
    RawRoute("PUT", "/blobs/{bucket}/{key}", blobs.upload),
    RawRoute("GET", "/blobs/{bucket}/{key}", blobs.download),
    RawRoute("HEAD", "/blobs/{bucket}/{key}", blobs.download),
)  # fmt: skip
