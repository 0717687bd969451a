"""All operations of the API in one table. Adding one is a line here, a handler, a use case and its statements."""

from __future__ import annotations

from hordenode.api.handlers import blobs, generate, house, interrogate, kudos, people, status, webhooks
from hordenode.api.route import Auth, RawRoute, Route
from hordenode.protocol.alchemy import (
    AlchemyAccepted,
    AlchemyJob,
    AlchemyPop,
    AlchemyRequest,
    AlchemyStatus,
    AlchemySubmit,
)
from hordenode.protocol.common import DryRunAnswer, RequestAccepted, RequestCheck, SimpleAnswer, SubmitAnswer
from hordenode.protocol.house import (
    AddressRequest,
    Document,
    DocumentQuery,
    HordeModes,
    HordeModesChanged,
    IPTimeout,
    IPTimeoutRequest,
    ModesRequest,
    NewsPiece,
    WorkerBlockRequest,
)
from hordenode.protocol.image import ImageJob, ImagePop, ImageRequest, ImageStatus, ImageSubmit, RatingsRequest
from hordenode.protocol.kudos import KudosAwarded, KudosRequest, KudosTransferred, LedgerPage, LedgerQuery
from hordenode.protocol.status import ActiveModel, Heartbeat, ModelsQuery, Performance
from hordenode.protocol.text import TextJob, TextPop, TextRequest, TextStatus, TextSubmit
from hordenode.protocol.users import UserDetails
from hordenode.protocol.webhooks import WebhookSecret
from hordenode.protocol.workers import WorkerDetails, WorkersQuery

V2 = "/api/v2"
NODE = "/api/node/v1"
KEY = Auth.KEY
WORKER_ADDRESS = f"{V2}/operations/block_worker_ipaddr/{{worker_id}}"
ACCEPTED = (RequestAccepted, DryRunAnswer)

ROUTES: tuple[Route | RawRoute, ...] = (
    Route("POST", f"{V2}/generate/async", generate.submit_image, body=ImageRequest, auth=KEY, status=202, answers=ACCEPTED),
    Route("GET", f"{V2}/generate/check/{{id}}", generate.check_image, answers=(RequestCheck,)),
    Route("GET", f"{V2}/generate/status/{{id}}", generate.image_status, answers=(ImageStatus,)),
    Route("DELETE", f"{V2}/generate/status/{{id}}", generate.cancel_image, answers=(ImageStatus,)),
    Route("POST", f"{V2}/generate/pop", generate.pop_image, body=ImagePop, auth=KEY, answers=(ImageJob,)),
    Route("POST", f"{V2}/generate/submit", generate.submit_image_job, body=ImageSubmit, auth=KEY, answers=(SubmitAnswer,)),
    Route("POST", f"{V2}/generate/rate/{{id}}", generate.rate_images, body=RatingsRequest, answers=(SubmitAnswer,)),
    Route("POST", f"{V2}/generate/text/async", generate.submit_text, body=TextRequest, auth=KEY, status=202, answers=ACCEPTED),
    Route("GET", f"{V2}/generate/text/status/{{id}}", generate.text_status, answers=(TextStatus,)),
    Route("DELETE", f"{V2}/generate/text/status/{{id}}", generate.cancel_text, answers=(TextStatus,)),
    Route("POST", f"{V2}/generate/text/pop", generate.pop_text, body=TextPop, auth=KEY, answers=(TextJob,)),
    Route("POST", f"{V2}/generate/text/submit", generate.submit_text_job, body=TextSubmit, auth=KEY, answers=(SubmitAnswer,)),
    Route("POST", f"{V2}/interrogate/async", interrogate.submit, body=AlchemyRequest, auth=KEY, status=202, answers=(AlchemyAccepted,)),
    Route("GET", f"{V2}/interrogate/status/{{id}}", interrogate.status, answers=(AlchemyStatus,)),
    Route("DELETE", f"{V2}/interrogate/status/{{id}}", interrogate.cancel, answers=(AlchemyStatus,)),
    Route("POST", f"{V2}/interrogate/pop", interrogate.pop, body=AlchemyPop, auth=KEY, answers=(AlchemyJob,)),
    Route("POST", f"{V2}/interrogate/submit", interrogate.submit_form, body=AlchemySubmit, auth=KEY, answers=(SubmitAnswer,)),
    Route("GET", f"{V2}/find_user", people.find_user, answers=(UserDetails,)),
    Route("GET", f"{V2}/workers", people.list_workers, query=WorkersQuery, answers=(list[WorkerDetails],)),
    Route("GET", f"{V2}/workers/{{worker_id}}", people.worker, answers=(WorkerDetails,)),
    Route("GET", f"{V2}/workers/name/{{worker_name}}", people.worker_by_name, answers=(WorkerDetails,)),
    Route("POST", f"{V2}/kudos/transfer", kudos.transfer, body=KudosRequest, auth=KEY, answers=(KudosTransferred,)),
    Route("POST", f"{V2}/kudos/award", kudos.award, body=KudosRequest, auth=KEY, answers=(KudosAwarded,)),
    Route("GET", f"{NODE}/kudos", kudos.page, query=LedgerQuery, auth=KEY, answers=(LedgerPage,)),
    Route("GET", f"{NODE}/webhooks", webhooks.secret, auth=KEY, answers=(WebhookSecret,)),
    Route("GET", f"{V2}/status/modes", house.modes, answers=(HordeModes,)),
    Route("PUT", f"{V2}/status/modes", house.set_modes, body=ModesRequest, auth=KEY, answers=(HordeModesChanged,)),
    Route("GET", f"{V2}/status/news", house.news, answers=(list[NewsPiece],)),
    Route("GET", f"{V2}/operations/ipaddr", house.list_timeouts, auth=KEY, answers=(list[IPTimeout],)),
    Route("POST", f"{V2}/operations/ipaddr", house.add_timeout, body=IPTimeoutRequest, auth=KEY, answers=(SimpleAnswer,)),
    Route("DELETE", f"{V2}/operations/ipaddr", house.remove_timeout, body=AddressRequest, auth=KEY, answers=(SimpleAnswer,)),
    Route("GET", f"{V2}/operations/ipaddr/{{ipaddr:path}}", house.timeouts_of, auth=KEY, answers=(list[IPTimeout],)),
    Route("PUT", WORKER_ADDRESS, house.block_worker, body=WorkerBlockRequest, auth=KEY, answers=(SimpleAnswer,)),
    Route("DELETE", WORKER_ADDRESS, house.unblock_worker, auth=KEY, answers=(SimpleAnswer,)),
    Route("GET", f"{V2}/documents/terms", house.document("terms"), query=DocumentQuery, answers=(Document,)),
    Route("GET", f"{V2}/documents/privacy", house.document("privacy"), query=DocumentQuery, answers=(Document,)),
    Route("GET", f"{V2}/documents/sponsors", house.document("sponsors"), query=DocumentQuery, answers=(Document,)),
    Route("GET", f"{V2}/status/heartbeat", status.heartbeat, answers=(Heartbeat,)),
    Route("GET", f"{V2}/status/performance", status.performance, answers=(Performance,)),
    Route("GET", f"{V2}/status/models", status.models, query=ModelsQuery, answers=(list[ActiveModel],)),
    Route("GET", f"{V2}/status/models/{{model_name:path}}", status.model, answers=(list[ActiveModel],)),
    Route("GET", "/.well-known/serviceinfo", status.serviceinfo),
    RawRoute("GET", "/terms", house.page("terms")),
    RawRoute("GET", "/privacy", house.page("privacy")),
    RawRoute("PUT", "/blobs/{bucket}/{key}", blobs.upload),
    RawRoute("GET", "/blobs/{bucket}/{key}", blobs.download),
    RawRoute("HEAD", "/blobs/{bucket}/{key}", blobs.download),
)  # fmt: skip
