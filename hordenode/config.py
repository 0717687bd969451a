"""Every option, declared once: type, default and description; files, variables, flags and docs derive from it.

Precedence: flag > HORDENODE_SECTION_NAME > TOML file > default. Unknown keys are errors with the nearest name.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, get_type_hints

from hordenode.ops.values import parse

PREFIX = "HORDENODE"
FILE_SUFFIX = "_FILE"


class ConfigError(Exception):
    """The configuration cannot be used; the text names file, variable or flag and says what is expected."""


def option(default: Any, text: str, *, choices: tuple[str, ...] = ()) -> Any:
    """A field of a section: its default, what it means, and the words that it may be."""
    return field(default=default, metadata={"text": text, "choices": choices})


def secret(text: str) -> Any:
    """A field that is never shown."""
    return field(default="", metadata={"text": text, "choices": (), "secret": True})


def default_data_dir(env: Mapping[str, str] = os.environ) -> str:
    """systemd's StateDirectory, else the platform's place for application data."""
    if env.get("STATE_DIRECTORY"):
        return env["STATE_DIRECTORY"].partition(":")[0]
    if os.name == "nt" and env.get("LOCALAPPDATA"):
        return str(Path(env["LOCALAPPDATA"]) / "hordenode")
    base = env.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return str(Path(base) / "hordenode")


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """[server]"""

    host: str = option("127.0.0.1", "Address to listen on; 0.0.0.0 serves the whole network.")
    port: int = option(7001, "Port to listen on; 0 takes a free one.")
    public_url: str = option("", "Address by which others reach this node, when it differs from the one they use.")
    trusted_proxies: tuple[str, ...] = option((), "Networks whose X-Forwarded-For header is believed.")
    max_body_mb: int = option(20, "Largest request body in MB.")
    registration: str = option(
        "invite",
        "Who may make an account: closed: the owner only. invite: whoever has a code of `hordenode invite`. open: anyone.",
        choices=("closed", "invite", "open"),
    )
    anonymous: bool = option(True, "Whether requests without an account (key 0000000000) are accepted.")
    advertise: bool = option(
        True, "Whether a node that other machines reach says so in the local network (mDNS), for `hordenode peers`."
    )


@dataclass(frozen=True, slots=True)
class LimitSettings:
    """[limits]"""

    per_address: int = option(6000, "Requests a minute from one address; 0 means any number.")
    per_key: int = option(12_000, "Requests a minute with one API key; 0 means any number.")
    exempt: tuple[str, ...] = option(("127.0.0.0/8", "::1/128"), "Networks to which these limits do not apply.")
    in_flight: int = option(1000, "Requests that are answered at once; more are told to come back (503).")
    backlog: int = option(4000, "Writes that may wait for the disk before new requests are told to come back (503).")
    connections: int = option(8192, "Connections open at once.")
    connections_each: int = option(1024, "Connections open at once from one address that is not exempt.")
    head_seconds: float = option(15.0, "Time that a client gets to send the head of a request.")
    stall_seconds: float = option(60.0, "Time after which a client that neither sends nor takes anything is dropped.")
    streams: int = option(1000, "Followers of the event stream at once.")
    streams_each: int = option(32, "Followers of the event stream at once with one key, or from one address without.")


@dataclass(frozen=True, slots=True)
class DataSettings:
    """[data]"""

    dir: str = option("", "Where database, results and keys are kept; empty means the platform's usual place.")


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """[store]"""

    synchronous: str = option(
        "FULL", "FULL: accepted requests survive a power cut. NORMAL: they survive a crash.", choices=("FULL", "NORMAL")
    )


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """[queue]"""

    order: str = option(
        "fair",
        "fair: users take turns. reference: by kudos and age, as the public horde.",
        choices=("fair", "reference"),
    )
    max_running: int = option(
        0,
        "Jobs of one user that workers of others have at once, so that nobody fills them all; 0 means any number.",
    )


@dataclass(frozen=True, slots=True)
class HordeSettings:
    """[horde]"""

    name: str = option("hordenode", "Name of this horde, as clients see it.")
    kudos: bool = option(True, "on: requests cost and jobs earn kudos. off: everything is free and users take turns.")
    upfront_kudos: str = option(
        "never",
        "never: nobody needs kudos in advance. busy: large requests do, the smaller ones the busier the horde is.",
        choices=("never", "busy"),
    )
    refused_words: tuple[str, ...] = option((), "Words that names, infos and contacts may not contain.")
    trust_after: int = option(
        0, "Kudos held back from a new user's workers after which the account is trusted by itself; 0 means never."
    )
    workers_per_address: int = option(
        0, "Most workers of one user at one address; 0 means as many as the user may run."
    )


@dataclass(frozen=True, slots=True)
class OutgoingSettings:
    """[outgoing]"""

    private_networks: tuple[str, ...] = option(
        (),
        "Networks, such as 192.168.1.0/24, that source images, webhooks and links of other hordes may reach beside public "
        "addresses.",
    )
    ca_file: str = option("", "Certificates (PEM) to trust for these beside the usual ones.")


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """[engine]"""

    enabled: bool = option(True, "Whether this node generates by itself; off, it only coordinates workers.")
    backend: str = option(
        "onnx",
        "Which engine: onnx; openai, kobold or a1111, programs that run already; or fake, for trying things out.",
    )
    threads: int = option(0, "CPU threads for generation; 0 means one per core.")
    providers: tuple[str, ...] = option(
        ("cuda", "cpu"),
        "Where to generate, in order of preference; also tensorrt, migraphx, rocm, directml, coreml, openvino.",
    )
    memory_mb: int = option(0, "Memory for loaded models in MB; 0 means no limit.")
    spin_us: int = option(
        500, "Microseconds for which threads wait awake for the next part of a text's step; 0 lets them sleep at once."
    )
    url: str = option("", "Address of the program that openai, kobold or a1111 names.")
    key: str = secret("Its API key, if it wants one; of a1111 user:password.")
    key_file: str = option("", "A file that holds that key, instead of `key`.")
    models: tuple[str, ...] = option(
        (), "Models of that program to run, as `name` or `name here=name there`; empty means all it has."
    )
    context: int = option(0, "Its context in tokens; 0 means what it says, else 2048.")
    parallel: int = option(1, "Texts that it writes at once.")
    timeout: float = option(120.0, "Seconds without a sign of life from it after which a job fails.")
    ignore: tuple[str, ...] = option(
        ("rep_pen_range", "rep_pen_slope", "sampler_order"),
        "Settings of texts that it may leave out; a job with another one that it does not know fails.",
    )


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """[worker]"""

    enabled: bool = option(True, "Whether the engine serves this node's own horde.")
    name: str = option("", "Name of this node's workers; empty means one made from the host name.")
    nsfw: bool = option(
        True, "Whether to serve requests that may be not safe for work; most clients mark all theirs so."
    )
    image_models: tuple[str, ...] = option((), "Image models to offer; empty means all in models.toml.")
    text_models: tuple[str, ...] = option((), "Text models to offer; empty means all in models.toml.")
    max_pixels: int = option(1_048_576, "Largest picture to draw, as width times height.")
    max_length: int = option(512, "Longest text to write, in tokens.")
    forms: tuple[str, ...] = option((), "Forms of alchemy to offer; empty means all that the engine can do.")
    max_tiles: int = option(80, "Largest picture for alchemy, in tiles of 512x512 pixels.")
    amount: int = option(1, "Pictures or texts of one request to take at once, 1 to 20: pictures are one batch then.")
    blacklist: tuple[str, ...] = option((), "Words; requests for pictures whose prompt has one are not taken.")
    priority_users: tuple[str, ...] = option((), "Users, as name#1, whose requests are taken before all others.")
    metadata: bool = option(True, "Whether pictures carry how they were made (prompt, seed, settings) in their EXIF.")
    preview_every: int = option(5, "Steps between previews of a picture in the making; 0 means none.")


@dataclass(frozen=True, slots=True)
class Contribution(WorkerSettings):
    """[[worker]] with `horde`: the engine serves another horde too, after this node's own."""

    horde: str = option("", "URL of the other horde.")
    key: str = secret("API key of a registered user there.")
    key_file: str = option("", "A file that holds the key, instead of `key`.")
    hours: str = option("", "Local time of day in which to serve it, as in 22:00-06:00; empty means always.")
    daily_jobs: int = option(0, "Most jobs to take from it in a day; 0 means no limit.")
    engine: str = option("", "An engine of its own, as engine.backend names them; empty means the node's.")
    engine_url: str = option("", "Address of the program, for an engine of its own.")
    engine_key: str = secret("Its API key.")
    engine_key_file: str = option("", "A file that holds that key, instead of `engine_key`.")
    engine_models: tuple[str, ...] = option((), "Its models to run, as engine.models names them.")


@dataclass(frozen=True, slots=True)
class ShutdownSettings:
    """[shutdown]"""

    grace: float = option(10.0, "Seconds that running jobs get to finish when the node stops.")


@dataclass(frozen=True, slots=True)
class LogSettings:
    """[log]"""

    level: str = option("info", "How much to log.", choices=("debug", "info", "warning", "error"))
    format: str = option("text", "text for people, json for machines.", choices=("text", "json"))
    requests: bool = option(False, "Whether each HTTP request is logged, with its time and id.")


@dataclass(frozen=True, slots=True)
class MetricsSettings:
    """[metrics]"""

    allow: tuple[str, ...] = option(
        ("127.0.0.0/8", "::1/128"), "Networks that may read /metrics; from others it takes an admin's key."
    )


@dataclass(frozen=True, slots=True)
class RetentionSettings:
    """[retention]"""

    ledger_days: int = option(
        365, "Days for which each movement of kudos is kept; older ones become one line each. 0 means for ever."
    )
    idle_days: int = option(7, "Days after which the queue forgets users and addresses that ask for nothing.")


@dataclass(frozen=True, slots=True)
class Settings:
    """All sections. Components receive only theirs. `contributions`: the [[worker]] entries that name a horde."""

    server: ServerSettings = ServerSettings()
    limits: LimitSettings = LimitSettings()
    data: DataSettings = DataSettings()
    store: StoreSettings = StoreSettings()
    queue: QueueSettings = QueueSettings()
    horde: HordeSettings = HordeSettings()
    outgoing: OutgoingSettings = OutgoingSettings()
    engine: EngineSettings = EngineSettings()
    worker: WorkerSettings = WorkerSettings()
    shutdown: ShutdownSettings = ShutdownSettings()
    log: LogSettings = LogSettings()
    metrics: MetricsSettings = MetricsSettings()
    retention: RetentionSettings = RetentionSettings()
    contributions: tuple[Contribution, ...] = ()

    @property
    def data_dir(self) -> Path:
        """The data directory as an absolute path."""
        return Path(self.data.dir or default_data_dir()).expanduser().absolute()


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings, and where each value (`section.name`) came from: `default`, `file …`, `variable …`, `flag`."""

    settings: Settings
    sources: Mapping[str, str]


def load_settings(
    config: Path | None = None,
    env: Mapping[str, str] = os.environ,
    flags: Mapping[str, object] | None = None,
) -> Loaded:
    """Read file, variables and flags (`section.name` to value; None means not given). Raises ConfigError."""
    given: dict[str, tuple[object, str]] = {}
    entries: list[dict[str, object]] = []
    if config is not None:
        flat, entries = _read_file(config)
        given.update({key: (value, f"file {config}") for key, value in flat.items()})
    given.update(_read_variables(env))
    given.update({key: (value, "flag") for key, value in (flags or {}).items() if value is not None})
    sections: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for section, kind in _sections().items():
        values: dict[str, Any] = {}
        hints = get_type_hints(kind)
        for f in fields(kind):
            key = f"{section}.{f.name}"
            sources[key] = given[key][1] if key in given else "default"
            if key in given:
                values[f.name] = _convert(key, given[key][0], hints[f.name], f.metadata["choices"], given[key][1])
        sections[section] = kind(**values)
    contributions = tuple(_contribution(entry, n, f"file {config}") for n, entry in enumerate(entries, 1))
    return Loaded(Settings(**sections, contributions=contributions), sources)


def _contribution(entry: dict[str, object], number: int, source: str) -> Contribution:
    """A [[worker]] entry that names a horde."""
    hints = get_type_hints(Contribution)
    known = [f.name for f in fields(Contribution)]
    values: dict[str, Any] = {}
    for name, value in entry.items():
        _check_known(name, f"{source}, [[worker]] number {number}", known)
        values[name] = _convert(f"worker.{name}", value, hints[name], (), f"{source}, [[worker]] number {number}")
    return Contribution(**values)


def _sections() -> dict[str, type[Any]]:
    return {name: kind for name, kind in get_type_hints(Settings).items() if name != "contributions"}


def _known() -> list[str]:
    return [f"{section}.{f.name}" for section, kind in _sections().items() for f in fields(kind)]


def _read_file(path: Path) -> tuple[dict[str, object], list[dict[str, object]]]:
    """`section.name` to value, and the [[worker]] entries that name a horde; one without is this node's own worker."""
    try:
        with path.open("rb") as file:
            document = tomllib.load(file)
    except FileNotFoundError as error:
        raise ConfigError(f"There is no configuration file {path}. `hordenode config init` writes one.") from error
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"The configuration file {path} cannot be read: {error}") from error
    flat: dict[str, object] = {}
    workers = document.get("worker", {})
    entries = [entry for entry in workers if entry.get("horde")] if isinstance(workers, list) else []
    if isinstance(workers, list):
        own = [entry for entry in workers if not entry.get("horde")]
        if len(own) > 1:
            raise ConfigError(f"{path}: only one [[worker]] can be without `horde`: it is this node's own.")
        document["worker"] = own[0] if own else {}
    for section, members in document.items():
        if not isinstance(members, dict):
            raise ConfigError(f"{path}: '{section}' must be a section, as in [{section}].")
        flat.update({f"{section}.{name}": value for name, value in members.items()})
    for key in flat:
        _check_known(key, str(path), _known())
    return flat, entries


def _check_known(key: str, where: str, known: list[str]) -> None:
    if key not in known:
        near = difflib.get_close_matches(key, known, 1, 0.5)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        raise ConfigError(f"{where}: there is no option '{key}'.{hint}")


def _read_variables(env: Mapping[str, str]) -> dict[str, tuple[object, str]]:
    """HORDENODE_SECTION_NAME, or …_FILE with the path of a file that holds the value."""
    found: dict[str, tuple[object, str]] = {}
    for key in _known():
        variable = f"{PREFIX}_{key.replace('.', '_').upper()}"
        if variable + FILE_SUFFIX in env:
            path = Path(env[variable + FILE_SUFFIX])
            try:
                found[key] = (path.read_text(encoding="utf-8").strip(), f"variable {variable}{FILE_SUFFIX}")
            except OSError as error:
                raise ConfigError(f"{variable}{FILE_SUFFIX}: the file {path} cannot be read: {error}") from error
        elif variable in env:
            found[key] = (env[variable], f"variable {variable}")
    return found


def _convert(key: str, value: object, kind: Any, choices: tuple[str, ...], source: str) -> Any:
    """A value as the option's type; text is parsed, since variables and flags are text."""
    try:
        made = parse(value, kind)
    except ValueError as error:
        raise ConfigError(f"{key} ({source}): {error}.") from error
    if choices and made not in choices:
        raise ConfigError(f"{key} ({source}): must be one of {', '.join(choices)}, not '{made}'.")
    return made
