"""The one error type of the toolchain, and the table of its stable codes."""

from __future__ import annotations

from dataclasses import dataclass

CODES: dict[str, str] = {
    "usage": "an option or argument that means nothing",
    "io": "a file that cannot be read or written",
    "install": "a part of tfmbs that is not installed",
    "resource-limit": "an input that needs more memory or time than is granted",
    "unsupported": "something valid that this version does not do",
    "onnx.parse": "bytes that are no ONNX model",
    "onnx.invalid": "an ONNX model that breaks its own specification",
    "onnx.unsupported": "an ONNX op, attribute or type without an import",
    "onnx.external-data": "external data that is missing, too short or outside the model's folder",
    "onnx.dim": "a symbolic dimension that is not bound, or bound twice",
    "gguf.parse": "bytes that are no GGUF file, or whose header does not hold",
    "gguf.unsupported": "a GGUF architecture, key or type of tensor without an import",
    "safetensors.parse": "bytes that are no safetensors file, or whose header does not hold",
    "decoder": "weights or sizes that do not make the decoder they describe",
    "torch.parse": "a file that holds no exported PyTorch program",
    "torch.export": "a PyTorch module that torch.export does not capture",
    "torch.unsupported": "a PyTorch op, type, input or output without an import",
    "ir.parse": "text that is no MLIR",
    "ir.verify": "IR that breaks a rule of its dialect or level",
    "pass": "a pass that refuses its input",
    "pass.crash": "a foreign pass that ended its process",
    "pass.unknown": "a pass, pipeline or option that does not exist",
    "target": "a target description with a missing or impossible value",
    "mismatch": "a result that is further from its reference than allowed",
    "reference": "a model that the reference implementation does not run",
    "quantize": "calibration data or a tensor that cannot be quantized",
    "container.magic": "a file that is no fabric binary",
    "container.version": "a fabric binary of a version that is not read",
    "container.truncated": "a fabric binary that ends too early or too late",
    "container.digest": "bytes that do not match their digest",
    "container.layout": "sections that overlap, are misplaced, unknown or not padded with zeros",
    "container.feature": "a required feature that this reader does not have",
    "record": "a record with an impossible field",
    "siw": "an instruction word that is not valid",
    "siw.address": "an instruction that leaves its operand window",
    "asm": "assembly text that cannot be assembled",
    "input.name": "an input that the program does not have, or one that is missing",
    "input.shape": "an input of another shape",
    "input.dtype": "an input of another element type",
    "output": "an array for an output that the program does not have, or that cannot hold it",
    "device": "a device that does not exist or failed",
}

# Package -> the extra of tfmbs that brings it.
_EXTRAS = {
    "torch_mlir": "compiler",
    "onnx": "compiler",
    "gguf": "gguf",
    "safetensors": "gguf",
    "tomli": "compiler",
    "torch": "torch",
    "onnxruntime": "examples",
    "threadpoolctl": "bench",
}


def one_line(text: str) -> str:
    """Escapes what could break the line or hide text: controls, line separators, bidi marks, lone surrogates."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


@dataclass(frozen=True)
class Subject:
    """A location that says what of a model it is, by the model's own `name`; its text is what messages say."""

    name: str

    @property
    def kind(self) -> str:
        """``node``, ``tensor``, ``input``, ``output`` or ``dimension``; empty where it is none of them."""
        return ""


@dataclass(frozen=True)
class At(Subject):
    """The subject of kind `of`, which messages call `text`."""

    of: str
    text: str

    @property
    def kind(self) -> str:
        """See `Subject`."""
        return self.of

    def __str__(self) -> str:
        return self.text


class TfmbsError(Exception):
    """An error a user can cause. Its text is one line: `error: LOCATION: WHAT, expected EXPECTED, got GOT`.

    `code` is one of `CODES` and stable; `where` names file:line, node, section+offset or argument, and is the error's
    `subject` if it is one; `expected` and `got` are left out of the text where they are None; `details` are further
    lines, which tools print after the first; `help` says in a sentence what would help.
    """

    def __init__(
        self,
        code: str,
        where: object,
        what: str,
        expected: object = None,
        got: object = None,
        details: str = "",
        help: str = "",
    ) -> None:
        if code not in CODES:
            raise ValueError(f"error code {code!r} is not in the table")
        super().__init__(code, where, what, expected, got, details, help)
        self.code = code
        self.location = one_line(str(where))
        self.subject = where if isinstance(where, Subject) and where.kind else None
        self.what = what
        self.expected = expected
        self.got = got
        self.details = details
        self.help = help

    def __str__(self) -> str:
        parts = [self.what]
        if self.expected is not None:
            parts.append(f"expected {self.expected}")
        if self.got is not None:
            parts.append(f"got {self.got}")
        return f"error: {self.location}: {one_line(', '.join(parts))}"


def not_installed(error: ModuleNotFoundError, where: str) -> TfmbsError | None:
    """The error that tells which extra to install for `where`; None if the missing module is no optional package."""
    package = (error.name or "").partition(".")[0]
    if package not in _EXTRAS:
        return None
    return TfmbsError("install", where, f"needs {package}: pip install 'tfmbs[{_EXTRAS[package]}]'")
