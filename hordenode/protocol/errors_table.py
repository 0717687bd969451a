"""The error table of the AI Horde v2 API: one entry per `rc` (contract behaviour.md 24, api.json `rc`).

Two lines per entry: `rc | HTTP status, or statuses with the usual one first | message template`, then, indented, what
it means. `{names}` in a message are filled from the keyword arguments of `HordeError`. Some codes end with a full stop
or contain a space: they really do so on the wire. Workers recognise a few messages by substring (worker_protocol.md
7); those substrings are asserted by tests and must survive any rewording.
"""

from __future__ import annotations

from dataclasses import dataclass

_TABLE = """
AbortedGen | 400 | Processing Job with ID {id} was aborted because it took too long. Please check your worker speed.
    a result is submitted for a job that was already aborted or faulted
AestheticsAlreadyExist | 400 | This request has already been rated.
    the rating server refused a duplicate
AestheticsConfused | 400 | The image chosen as best is not the one rated highest.
    the best image contradicts the ratings
AestheticsDuplicate | 400 | The same image is rated more than once.
    an image id appears twice among the ratings
AestheticsMissing | 400 | Choose the best image or give at least one rating.
    neither a best image nor ratings were given
AestheticsNotCompleted | 400 | Only a completed request can be rated.
    rating of a request that is not done
AestheticsNotPublic | 400 | Only a request that was shared can be rated.
    rating of a request whose results were not shared
AestheticsServerDown | 400 | The rating server cannot be reached.
    the rating server is down
AestheticsServerError | 400 | The rating server had an error.
    the rating server answered with an error
AestheticsServerRejected | 400 | The rating server refused the rating.
    the rating server's answer makes no sense
AestheticsServerTimeout | 400 | The rating server took too long.
    the rating server did not answer in time
AestheticsSolo | 400 | A best image cannot be chosen from a single one.
    best image chosen where there is only one
AnonForbidden | 403 | The anonymous user cannot do this: use a registered user's API key.
    anonymous creates a team, a shared key or a worker message
AnonForbiddenUser | 403 | The anonymous user cannot delete users.
    anonymous deletes a user
AnonForbiddenUserMod | 403 | The anonymous user cannot be edited, nor edit others.
    anonymous edits a user
AnonForbiddenWorker | 403 | The anonymous user cannot run or edit workers: use a registered user's API key.
    anonymous pops, or edits or deletes a worker
BadCFGDecimals | 400 | cfg_scale takes at most 2 decimals.
    cfg_scale with more than 2 decimals
BadCFGNumber | 400 | cfg_scale must be a number.
    cfg_scale is not numeric
BadLoraVersion | 400 | The LoRA '{name}' has is_version set, so its name must be a version number.
    is_version with a name that is not made of digits
BadRequest | 400 | {reason}
    the general 400: the message says what is wrong
BannedClientAgent | 403 | Put your own program's name, version and contact into the Client-Agent header.
    the one refused placeholder Client-Agent, on image generation
BetaAnonForbidden | 403 | The anonymous user cannot use the beta model.
    anonymous asks for the beta model
BetaComparisonFault | 400 | The beta model needs n of 2.
    beta model with one image
CannotDeleteMod | 403 | A moderator cannot be deleted.
    deleting a moderator
CannotWipeActiveUser | 403 | This user was active within the last 30 days and cannot be wiped yet.
    a second delete within 30 days of activity
CollectionNotFound | 404 | Collection '{name}' not found.
    unknown collection
ControlNetInpaintingMismatch | 400 | control_type cannot be combined with inpainting.
    control_type together with source_processing inpainting
ControlNetInvalidPayload | 400 | image_is_control cannot be combined with return_control_map.
    the image is the control map, and the control map is asked back
ControlNetMismatch | 400 | control_type is not available for the model '{model}'.
    control_type with a baseline that has no ControlNet
ControlNetMismatch. | 400 | The workflow qr_code is not available for the model '{model}'.
    qr_code with a model other than Stable Diffusion 1 or XL
ControlNetSourceMissing | 400 | control_type needs a source_image.
    control_type without a source image
ControlNetUnsupported | 400 | control_type '{control_type}' is not available for the model '{model}'.
    this control type does not exist for the model
CorruptPrompt | 400 | This prompt is refused by the horde's filters.
    prompt refused by filters
DeletedUser | 403 400 | This account is marked as deleted.
    the account is deleted (403; 400 on transfers)
DuplicateGen | 400 | The result of Processing Job with ID {id} was already submitted.
    a job is submitted twice, or an alchemy form is not in processing
EducationCannotSendKudos | 400 | Education accounts cannot send kudos.
    an education account sends kudos
ExcessiveStopSequence | 400 | The stop sequences may have at most 2000 characters together.
    stop sequences are too long in total
FaultWhenKudosReceiving | 400 | The target account cannot receive kudos.
    the target of a transfer is suspicious
FaultWhenKudosSending | 400 | Your account cannot send kudos.
    the source of a transfer is suspicious
FilterNotFound | 404 | Filter '{id}' not found.
    unknown filter id
Forbidden | 403 | {reason}
    the general 403: the message says why
HiResMismatch | 400 | hires_fix is not available for the model '{model}'.
    hires_fix with a model that cannot do it
IdempotencyKeyConflict | 400 | This Idempotency-Key was already used with other parameters.
    an Idempotency-Key is reused for another request
Image styleNotFound | 404 | Image style '{id}' not found.
    image style asked by an unknown id
ImageValidationFailed | 400 | The {field} could not be read as an image.
    a source image cannot be fetched or decoded
InpaintingMissingMask | 400 | Inpainting needs a source_mask, or a source_image with an alpha channel.
    inpainting without mask and without alpha
InvalidAestheticAttempt | 400 | The rating is not valid.
    another rating failure
InvalidAPIKey | 401 | No user matches this API key. Check the key, or create a user first.
    unknown key, or none where one is needed
InvalidAwardUsername | 400 | There is no user '{username}' to award kudos to.
    award target unknown
InvalidExtraSourceImages. | 400 | extra_source_images are only accepted with source_processing remix.
    extra source images without remix, or on a text request
InvalidExtraTexts. | 400 | extra_texts are only accepted with the workflow qr_code.
    extra_texts without qr_code
InvalidJobID | 404 | Processing Job with ID {id} does not exist.
    a result is submitted for an unknown or expired job
InvalidKudosTransferAmount | 400 | The amount to transfer must be above 0.
    transfer of nothing
InvalidPriorityUsername | 400 | Priority usernames need the form name#id: '{username}' has no #.
    a worker names a priority user without #
InvalidPromptSize | 400 | The prompt has {words} words; at most 7500 are accepted.
    prompt too long
InvalidRemix | 400 | source_processing remix is not available for the model '{model}'.
    remix without Stable Cascade
InvalidTargetUsername | 400 | There is no user '{username}' to transfer kudos to.
    transfer target unknown
InvalidTransparencyCN | 400 | transparent cannot be combined with control_type.
    transparent with ControlNet
InvalidTransparencyImg2Img | 400 | transparent cannot be combined with source images.
    transparent with extra source images
InvalidTransparencyModel | 400 | transparent is not available for the model '{model}'.
    transparent with a model other than Stable Diffusion 1 or XL
KudosAwardToAnon | 400 | Kudos cannot be awarded to the anonymous user.
    award to anonymous
KudosTransferFromAnon | 400 | The anonymous user cannot transfer kudos.
    transfer by anonymous
KudosTransferNotEnough | 400 | Not enough kudos: {available} available, {amount} asked.
    transfer of more than is available
KudosTransferToAnon | 400 | Kudos cannot be transferred to the anonymous user.
    transfer to anonymous
KudosTransferToSelf | 400 | Kudos cannot be transferred to yourself.
    transfer to oneself
KudosUpfront | 403 | This request needs {needed} kudos in advance and you have {available}. Ask for less, or for fewer steps.
    upfront kudos are needed and missing
Locked | 423 | This worker is still referenced by finished jobs. Try again later.
    delete of a worker whose results are still shown
MaintenanceMode | 400 | The horde is in maintenance mode and takes no new requests. Try again later.
    the horde is in maintenance
MessagesOnlyOwnWorkers | 403 | You can only send messages to your own workers.
    message to another user's worker
MissingExtraTexts. | 400 | The workflow qr_code needs an extra text with the reference 'qr_code'.
    qr_code without its extra text
MissingFullSamplerOrder | 400 | sampler_order must name all 7 samplers.
    sampler_order with fewer than 7 distinct values
MissingPrompt | 400 | The prompt is empty.
    empty text prompt
MoreThanMinExtraSourceImage. | 400 | Only trusted users can send more than 1 extra source image.
    several extra source images by an untrusted user
NegativeKudosTransfer | 400 | The amount to transfer cannot be negative.
    negative transfer
NoFilterModSelected | 400 | The change to the filter is empty.
    empty filter patch
NoHordeModSelected | 400 | The change to the modes is empty.
    empty change of modes
NonServiceForbidden | 403 | Only service accounts can have a proxy passkey.
    proxy passkey for a caller who is not a service account
NoSharedKeyModSelected | 400 | The change to the shared key is empty.
    empty shared-key patch
NotAdmin | 403 | Only an admin can do this.
    an admin field is set by somebody else
NotAllowedAwards | 403 | You are not allowed to award kudos.
    award by anyone but user 1
NoTeamModSelected | 400 | The change to the team is empty.
    empty team patch
NotModerator | 403 | Only a moderator can do this.
    moderator rights are missing
NotOwner | 403 | Only the owner or a moderator can do this.
    another user's worker or team is changed
NotUserOrMod | 403 | Only this user or a moderator can do this.
    somebody else's account is deleted
NoUserModSelected | 400 | The change to the user is empty.
    empty user change
NoWorkerModSelected | 400 | The change to the worker is empty.
    empty worker change
NulByteInPayload | 400 | The request contains a NUL character, which cannot be stored.
    a NUL character in a string, on any route
OnlyServiceAccountProxy | 400 | Only service accounts can set proxied_account.
    proxied_account by a normal user
PolymorphicNameConflict | 400 | The worker name '{name}' is already used by a worker of another type. Choose another.
    a worker name is used by another worker type
ProcGenNotFound | 400 | The rated image is not part of this request.
    the rated image does not belong to the request
ProfaneAdminComment | 400 | The admin comment is refused by the profanity filter.
    profanity filter
ProfaneBridgeAgent | 400 | The bridge agent is refused by the profanity filter.
    profanity filter
ProfaneTeamInfo | 400 | The team info is refused by the profanity filter.
    profanity filter
ProfaneTeamName | 400 | The team name is refused by the profanity filter.
    profanity filter
ProfaneUserContact | 400 | The contact is refused by the profanity filter.
    profanity filter
ProfaneUserName | 400 | The username is refused by the profanity filter.
    profanity filter
ProfaneWorkerInfo | 400 | The worker info is refused by the profanity filter.
    profanity filter
ProfaneWorkerName | 400 | The worker name is refused by the profanity filter.
    profanity filter
RequestNotFound | 404 | Request with ID '{id}' not found. It may have expired.
    status, check, cancel or rating of an unknown or expired request
RequiresTrust | 400 | Only trusted users can disable batching for more than 1 image.
    disable_batching with n above 1 by an untrusted user
SharedKeyAssignedStyles | 403 | This shared key is bound to styles and only works through them.
    a shared key of styles is used directly
SharedKeyEmpty | 403 | This shared key has no kudos left.
    shared key without budget
SharedKeyExpired | 403 400 | This shared key has expired.
    shared key past its date (403; 400 on transfers)
SharedKeyInsufficientKudos | 403 | This shared key has fewer kudos left than the request costs.
    the shared key's budget is below the price
SourceAccountFlagged | 400 | Your account is flagged and cannot send kudos.
    the source of a transfer is flagged
SourceImageRequiredForModel | 400 | The model '{model}' needs a source_image.
    a depth or pix2pix model without a source image
SourceImageResolutionExceeded | 400 | The {field} has too many pixels.
    a source above 3072x3072 pixels, or above 255 tiles for alchemy
SourceImageSizeExceeded | 400 | The {field} at the given URL is larger than 5 MB.
    a source URL gives too much data
SourceImageUnreadable | 400 | The {field} at the given URL could not be read.
    a source URL cannot be read
SourceImageUrlInvalid | 400 | The URL given for the {field} is not an image.
    a source URL is not an image
SourceMaskUnnecessary | 400 | A source_mask needs a source_image.
    mask without a source image
SpecialMissingPayload | 400 | The special model '{model}' needs params.special.
    a special model without its payload
SpecialMissingUsername | 400 | The name of a special model needs its user after '::', which '{model}' lacks.
    a special model without an alias
Style exampleNotFound | 404 | Style example '{id}' not found.
    unknown style example
StyleNotFound | 404 | Style '{name}' not found.
    unknown style in a request or a style route
StylesAnonForbidden | 403 | The anonymous user cannot own styles or collections.
    anonymous creates or deletes styles or collections
StylesRequiresCustomizer | 403 | Only trusted users and customizers can create styles.
    style creation without trust or customizer role
TargetAccountFlagged | 400 | The target account is flagged and cannot receive kudos.
    the target of a transfer is flagged
TeamNameAlreadyExists | 400 | There is already a team named '{name}'.
    team name taken
TeamNotFound | 404 | Team '{id}' not found.
    unknown team
Text styleNotFound | 404 | Text style '{id}' not found.
    text style asked by an unknown id
TimeoutIP | 403 | Your address is in timeout for {seconds} more seconds.
    the caller's address is in timeout
TokenOverflow | 400 | max_length ({max_length}) cannot be above max_context_length ({max_context_length}).
    more tokens to write than the context holds
TooFastKudosTransfers | 400 | Wait a minute before sending kudos back to an account that has just sent some to you.
    kudos sent back within 60 seconds
TooLongUserName | 400 | A username has at most 30 characters.
    username too long
TooLongWorkerName | 400 | A worker's name has at most 100 characters and its info at most 1000.
    worker name or info too long
TooManyExtraSourceImages. | 400 | At most 5 extra source images are accepted.
    too many extra source images
TooManyLoras | 400 | At most 5 LoRAs are accepted, not {count}.
    too many LoRAs
TooManyNewIPs | 403 | Too many new addresses at the moment. Try again in {seconds} seconds.
    the address checker is overloaded
TooManyPrompts | 429 | You have {waiting} jobs waiting and ask for {n} more; {limit} may wait at once. Wait for some to finish.
    the user's concurrency limit
TooManySameIPs | 403 | You run too many workers from the same address.
    too many workers of one user on an address
TooManyStopSequences | 400 | At most 128 stop sequences are accepted.
    too many stop sequences
TooManyTIs | 400 | At most 20 textual inversions are accepted, not {count}.
    too many textual inversions
TooManyUpscalers | 400 | At most one upscaler can be asked for.
    more than one upscaler in post_processing
TooManyWorkers | 403 | An untrusted user can run at most {limit} workers. Ask the owner of this horde for trust.
    an untrusted user has too many workers
TooManyWorkersTrusted | 403 | A user can run at most {limit} workers.
    more than 20 workers
UnexpectedModelName | 400 | '{model}' cannot be used as a model here.
    a post-processor as model, or a ControlNet model without source image
UnsafeIP | 403 | Workers are not accepted from this address: it seems to belong to a VPN.
    worker behind a VPN
UntrustedTeamCreation | 403 | Only trusted users can create teams.
    team creation without trust
UntrustedUnsafeIP | 403 | Requests from this address are not accepted at the moment: it seems to belong to a VPN.
    raid mode and a client behind a VPN
UserNotDeleted | 400 | This user is not deleted.
    undelete of a live user
UserNotFound | 404 | User '{id}' not found.
    unknown user id, or unknown key on find_user
WorkerFlaggedMaintenance | 403 | Your account is flagged: its workers stay in maintenance mode. Contact the owner of this horde.
    a flagged owner's worker pops
WorkerInviteOnly | 403 | This horde takes workers by invitation only.
    invite-only mode
WorkerMaintenance | 403 | This worker is in maintenance mode: {reason}
    worker in maintenance and no job of its own user
WorkermessageNotFound | 404 | Worker message '{id}' not found.
    unknown worker message
WorkerNameAlreadyExists | 400 | There is already a worker named '{name}'.
    worker name taken
WorkerNotFound | 404 | Worker '{id}' not found.
    unknown worker, also among the workers of a request
WrongCredentials | 403 | Wrong credentials: {what} belongs to another user.
    the worker name or the job belongs to somebody else
"""


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """One `rc`: its HTTP statuses (the usual one first), its message template and what it means."""

    rc: str
    statuses: tuple[int, ...]
    template: str
    explanation: str

    @property
    def status(self) -> int:
        return self.statuses[0]


def _parse(table: str) -> dict[str, ErrorCode]:
    lines = table.strip().splitlines()
    codes: dict[str, ErrorCode] = {}
    for head, explanation in zip(lines[::2], lines[1::2], strict=True):
        rc, statuses, template = head.split(" | ", 2)
        if rc in codes:
            raise ValueError(f"rc {rc} stands twice in the error table")
        codes[rc] = ErrorCode(rc, tuple(map(int, statuses.split())), template, explanation.strip())
    return codes


ERRORS: dict[str, ErrorCode] = _parse(_TABLE)
