"""ONNX Runtime: the only place that imports it, and only when the first model loads (it takes a third of a second)."""

from __future__ import annotations

import logging
import os
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from hordenode.config import EngineSettings
from hordenode.engine.files import RESTORE
from hordenode.engine.jobs import EngineError, ModelFileError, ProviderReport
from hordenode.engine.providers import FATAL, PROVIDERS, Choice, choose, core_count, survey
from hordenode.engine.tensors import Array, Buffer, Kept, Placed, Tensor, view

log = logging.getLogger("hordenode.engine")

AS_REQUESTED = 1
UNTILED = "ORT_GQA_DISABLE_FLASH_ATTENTION"
_untiling = threading.Lock()
MEMORY = {"cuda": "cuda", "tensorrt": "cuda"}  # where buffers lie, by provider; elsewhere in main memory
_DTYPES: Mapping[str, type[np.generic]] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
}
_OWN_DTYPES = {**_DTYPES, "tensor(double)": np.float64, "tensor(bool)": np.bool_}  # of graphs that were made here
_DECORATION = re.compile(r"^\[ONNXRuntimeError\] : \d+ : \w+ : (Load model from .* failed:)?")


class Runtime:
    """Opens sessions on the best provider of the settings, with explicit thread counts."""

    def __init__(self, settings: EngineSettings) -> None:
        self._wanted = settings.providers
        self._threads = settings.threads or core_count()
        self.limited = settings.memory_mb > 0  # whether the owner says how much memory there is
        self._spin_us = settings.spin_us
        self._chosen: tuple[Choice, ProviderReport] | None = None
        self._choosing = threading.Lock()  # `report` is asked from any thread

    def report(self) -> ProviderReport:
        """Where sessions run. Raises EngineError when no wanted provider works."""
        return self._choice()[1]

    def survey(self) -> tuple[tuple[str, str], ...]:
        """Every known provider that is not in use, with the reason. Raises EngineError."""
        return survey(_onnxruntime(), self._wanted, self.report())

    @property
    def frugal(self) -> bool:
        """Whether memory is dearer than a few per cent of time."""
        return self.limited or self._choice()[0].name == "cpu"

    def open(
        self, file: Path, model: bytes | None = None, *, awake: bool = False, tiled_attention: bool = True
    ) -> Session:
        """A session on an ONNX file, or on a changed `model` of it. Raises ModelFileError.

        `awake`: its threads wait awake from one operator to the next, for a graph of many small ones. For
        `tiled_attention` see `_attention`.
        """
        choice, _ = self._choice()
        if not file.is_file():
            raise ModelFileError(file, "is missing", RESTORE)
        ort = _onnxruntime()
        providers: list[Any] = [(choice.runtime_name, choice.options)]
        if choice.name == "tensorrt":
            providers.append("CUDAExecutionProvider")
        if choice.name != "cpu":
            providers.append("CPUExecutionProvider")  # for operators that the other one lacks
        try:
            options = self._options(ort, self._spin_us if awake else 0)
            if model is not None:  # its weights may lie beside the file
                options.add_session_config_entry(
                    "session.model_external_initializers_file_folder_path", str(file.parent)
                )
            with _attention(tiled_attention):
                raw = ort.InferenceSession(str(file) if model is None else model, options, providers=providers)
        except Exception as error:  # the runtime's exceptions have no base class of their own
            raise ModelFileError(file, f"cannot be loaded ({_first_line(error)})", RESTORE) from error
        return Session(raw, file, self.device)

    @property
    def device(self) -> str:
        """Where what sessions read and write lies: cpu or cuda."""
        return MEMORY.get(self._choice()[0].name, "cpu")

    def small(self, model: bytes, name: str) -> Session:
        """A session on a graph of a few operations that was made here; `name` stands for its file in errors."""
        choice, _ = self._choice()
        # TensorRT would build an engine for each size, which takes longer than the operations ever will.
        runtime_name = PROVIDERS["cuda"] if choice.name == "tensorrt" else choice.runtime_name
        providers = [runtime_name] if choice.name == "cpu" else [runtime_name, PROVIDERS["cpu"]]
        ort = _onnxruntime()
        return Session(ort.InferenceSession(model, self._options(ort), providers=providers), Path(name), self.device)

    def aside(self, model: bytes, name: str) -> Session:
        """As `small`, for numbers in main memory, by the thread that asks alone: the others are not worth waking."""
        ort = _onnxruntime()
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = FATAL
        raw = ort.InferenceSession(model, options, providers=[PROVIDERS["cpu"]])
        return Session(raw, Path(name), "cpu", _OWN_DTYPES)

    def _choice(self) -> tuple[Choice, ProviderReport]:
        with self._choosing:
            if self._chosen is None:
                self._chosen = choose(_onnxruntime(), self._wanted, self._threads)
                report = self._chosen[1]
                refused = "".join(f"; not on {name}: {why}" for name, why in report.refused)
                log.info("generating on %s with %d threads%s", report.provider, report.threads, refused)
            return self._chosen

    def _options(self, ort: Any, spin_us: int = 0) -> Any:
        options = ort.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        # Threads that wait awake take the processor from the node's other work (ARCHITECTURE 3.15): a UNet beside other
        # programs takes a fifth longer with them, and alone 3 % less. A text's token takes a tenth less. They stay awake
        # from one token to the next too: one that fell asleep may be woken on the processor of the one that wakes it,
        # and after a pause a token took 13-18 ms, not 9. Beside a busy program on two cores a token takes some 14 % longer.
        options.add_session_config_entry("session.intra_op.allow_spinning", "1" if spin_us else "0")
        if spin_us:
            options.add_session_config_entry("session.intra_op.spin_duration_us", str(spin_us))
        options.add_session_config_entry("session.use_env_allocators", "1")
        options.log_severity_level = FATAL  # everything else arrives as an exception
        return options


class Session:
    """One loaded graph."""

    def __init__(self, raw: Any, file: Path, device: str, dtypes: Mapping[str, type[np.generic]] = _DTYPES) -> None:
        self.raw = raw
        self.file = file
        self.device = device
        self.arena = "gpu" if device == "cuda" else "cpu"
        # Whether a bound input is read where it lies, and when a run begins: other providers may have copied it before.
        self.reads_in_place = raw.get_providers()[0] == PROVIDERS["cpu"]
        self._dtypes = dtypes
        self.inputs = {each.name: self._tensor(each) for each in raw.get_inputs()}
        self.options = {each.name: self._tensor(each) for each in raw.get_overridable_initializers()}  # need not be fed
        self.outputs = {each.name: self._tensor(each) for each in raw.get_outputs()}
        meta = raw.get_modelmeta()
        self.notes: Mapping[str, str] = meta.custom_metadata_map
        self.producer: str = meta.producer_name

    def run(self, feeds: Mapping[str, Array]) -> Array:
        """The first output. Arrays are cast to what the graph wants. Raises EngineError."""
        bound = self.bind(next(iter(self.outputs)))
        return bound.run(feeds)

    def run_last(self, feeds: Mapping[str, Array]) -> Array:
        """As `run`, and then the arena gives back what no session uses: for the end of a job."""
        options = _onnxruntime().RunOptions()
        options.add_run_config_entry("memory.enable_memory_arena_shrinkage", f"{self.arena}:0")
        return self.fetch(feeds, [next(iter(self.outputs))], options)[0]

    def fetch(self, feeds: Mapping[str, Array], names: list[str], options: Any = None) -> list[Array]:
        """Several outputs by name. Raises EngineError."""
        known = self.inputs | self.options
        given = {name: np.asarray(value, known[name].dtype) for name, value in feeds.items()}
        try:
            made: list[Array] = self.raw.run(names, given, options)
        except Exception as error:  # the runtime's exceptions have no base class of their own
            raise EngineError(f"{self.file}: the run failed: {_first_line(error)}") from error
        return made

    def run_kept(self, feeds: Mapping[str, Array | Kept], names: list[str]) -> list[Kept]:
        """Several outputs that stay where they are, to be fed again. Raises EngineError."""
        make = _onnxruntime().OrtValue.ortvalue_from_numpy
        given = {
            name: value.raw
            if isinstance(value, Kept)
            else make(np.asarray(value, self.inputs[name].dtype, order="C"), "cpu", 0)
            for name, value in feeds.items()
        }
        try:
            made = self.raw.run_with_ort_values(names, given)
        except Exception as error:  # the runtime's exceptions have no base class of their own
            raise EngineError(f"{self.file}: the run failed: {_first_line(error)}") from error
        return [Kept(raw, self.outputs[name].dtype) for name, raw in zip(names, made, strict=True)]

    def place(self, value: Array) -> Placed:
        """An array, copied to where this graph's inputs lie."""
        content = np.ascontiguousarray(value)
        return Placed(_onnxruntime().OrtValue.ortvalue_from_numpy(content.copy(), self.device, 0))

    def bind(self, fetch: str) -> Binding:
        """For running again and again; `fetch`: the output that comes back."""
        return Binding(self, fetch)

    def buffer(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Buffer:
        """Device memory for this graph, zeroed."""
        host = np.zeros(shape, dtype)  # on the CPU a page takes memory only once it is written
        on_device = None if self.device == "cpu" else _onnxruntime().OrtValue.ortvalue_from_numpy(host, self.device, 0)
        return Buffer(host, self.device, on_device)

    def require(self, *names: str) -> None:
        """Raises ModelFileError when the graph lacks one of these inputs."""
        for name in names:
            if name not in self.inputs:
                raise ModelFileError(
                    self.file, f"has no input '{name}'", "It is not a graph of the layout that models.toml promises."
                )

    def _tensor(self, each: Any) -> Tensor:
        if each.type not in self._dtypes:
            raise ModelFileError(
                self.file, f"'{each.name}' is of type {each.type}", "Convert the model to float16 or float32."
            )
        shape = tuple(size if isinstance(size, int) else None for size in each.shape)
        return Tensor(each.name, np.dtype(self._dtypes[each.type]), shape)


class Binding:
    """A session with inputs and outputs that stay where they are from run to run."""

    def __init__(self, session: Session, fetch: str) -> None:
        self._session = session
        self._fetch = fetch
        self._raw = session.raw.io_binding()
        self._made: Any = None  # what the last run made, as long as a view of it may be in use
        self._raw.bind_output(fetch, "cpu")  # first, so that it is the first of the outputs

    def keep(self, name: str, value: Array) -> None:
        """Give an input the same value in every run."""
        self._raw.bind_cpu_input(name, self._cast(name, value))

    def share(self, source: str, target: str, buffer: Buffer, first: int, count: int) -> None:
        """Let input `source` and output `target` be the same memory: `count` rows of a buffer from `first` on."""
        shape, where = (count, *buffer.shape[1:]), buffer.row(first)
        self._raw.bind_input(source, buffer.device, 0, buffer.dtype.type, shape, where)
        self._raw.bind_output(target, buffer.device, 0, buffer.dtype.type, shape, where)

    def feed(self, name: str, memory: Array) -> None:
        """Let an input be this memory for the next run: contiguous, of the input's type, and alive until then."""
        self._raw.bind_input(name, "cpu", 0, memory.dtype.type, memory.shape, memory.ctypes.data)

    def land(self, name: str, memory: Array) -> None:
        """Let `step` write an output here: contiguous, of its type and shape. Where memory is read in place."""
        self._raw.bind_output(name, "cpu", 0, memory.dtype.type, memory.shape, memory.ctypes.data)

    def step(self) -> None:
        """Run on what was fed, with the output where it was let land. Raises EngineError."""
        self._execute()

    def run(self, feeds: Mapping[str, Array]) -> Array:
        """The fetched output for these inputs. Raises EngineError."""
        result: Array = self._run(feeds).numpy()
        return result

    def run_there(self, feeds: Mapping[str, Array | Placed]) -> Placed:
        """The fetched output, left on the device; of the inputs, only those that are not there go there."""
        for name, value in feeds.items():
            if isinstance(value, Placed):
                self._raw.bind_ortvalue_input(name, value.raw)
            else:
                self._raw.bind_cpu_input(name, self._cast(name, value))
        self._raw.bind_output(self._fetch, self._session.device)  # anew: the last result is in use
        self._execute()
        return Placed(self._raw.get_outputs()[0])

    def run_to_last(self, feeds: Mapping[str, Array]) -> Array:
        """As `run`, but only the last entry along the second axis, at float32: valid until the next run, not copied."""
        self._made = self._run(feeds)
        last: Array = view(self._made, self._session.outputs[self._fetch].dtype)[:, -1].astype(np.float32, copy=False)
        return last

    def _run(self, feeds: Mapping[str, Array]) -> Any:
        for name, value in feeds.items():
            self._raw.bind_cpu_input(name, self._cast(name, value))
        # Again, as its shape may differ: the runtime would write into the last run's result.
        self._raw.bind_output(self._fetch, "cpu")
        self._execute()
        return self._raw.get_outputs_as_ortvaluevector()[0]

    def _execute(self) -> None:
        try:
            self._session.raw.run_with_iobinding(self._raw)
        except Exception as error:  # the runtime's exceptions have no base class of their own
            raise EngineError(f"{self._session.file}: the run failed: {_first_line(error)}") from error

    def _cast(self, name: str, value: Array) -> Array:
        return np.asarray(value, self._session.inputs[name].dtype, order="C")


def _onnxruntime() -> Any:
    import onnxruntime

    onnxruntime.set_default_logger_severity(FATAL)
    onnxruntime.disable_telemetry_events()  # a node makes no connection that nobody asked for
    _share_arena()
    return onnxruntime


@cache
def _share_arena() -> None:
    """One arena for all sessions, grown by what is asked for.

    Each session's own would keep its largest moment beside those of the others, in powers of two: 8.3 GB instead of 6.3
    for a 512 px picture of Stable Diffusion 1.5 on CPU.
    """
    import onnxruntime as ort

    memory = ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT)
    ort.create_and_register_allocator(memory, ort.OrtArenaCfg({"arena_extend_strategy": AS_REQUESTED}))


@contextmanager
def _attention(tiled: bool) -> Iterator[None]:
    """How GroupQueryAttention on CPU works in sessions that are made meanwhile.

    In tiles it needs no memory for all scores of a run, and takes longer: with the benchmark's model a step of eight texts
    4 % and a prompt 7 % (measured). It knows that from nowhere but the environment, and looks when a session is made.
    """
    if tiled:
        yield
        return
    with _untiling:
        is_owners = UNTILED in os.environ
        os.environ.setdefault(UNTILED, "1")
        try:
            yield
        finally:
            if not is_owners:
                del os.environ[UNTILED]


def _first_line(error: Exception) -> str:
    """What the runtime says, without its own paths and stack."""
    text = _DECORATION.sub("", str(error).strip()).splitlines()
    return text[0].rstrip(". ") if text else type(error).__name__
