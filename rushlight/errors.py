"""Every error that Rushlight raises on purpose.

::

    RushlightError
    ├── InvalidFile             the file is damaged, truncated or not what its name says
    ├── UnsupportedModel        an architecture, or a feature of one, that is not implemented
    ├── UnsupportedTensorType   a tensor type that is not implemented
    ├── UnsupportedTokenizer    a tokenizer model or pre-tokenizer that is not implemented
    ├── TemplateError           a chat template that cannot be rendered
    ├── InvalidParameter        an option or argument outside its range (also a ValueError)
    ├── ContextOverflow         a prompt that does not fit the context
    ├── QueueFull               more requests than the engine was told to let wait
    ├── OutOfMemory             the KV cache or the weights do not fit the memory allowed
    ├── BackendUnavailable      a backend or kernel target that this machine cannot run
    ├── ServerFailure           a server that is asked does not answer as it should
    └── ModelNotFound           a model reference that leads to no file
        ├── AmbiguousModel      a reference that leads to several files
        ├── NetworkUnavailable  the file is not on this machine and its host cannot be reached
        ├── GatedModel          the host wants an account or an accepted licence
        └── CorruptDownload     the bytes that arrived do not match their hash or length

A message is one sentence or two: what was found, what was expected, what to do.
"""


class RushlightError(Exception):
    """Root of every error that Rushlight raises on purpose."""


class InvalidFile(RushlightError):
    """The file is damaged, truncated or not what its name says."""


class UnsupportedModel(RushlightError):
    """An architecture, or a feature of one, that is not implemented."""


class UnsupportedTensorType(RushlightError):
    """A tensor type that is not implemented."""


class UnsupportedTokenizer(RushlightError):
    """A tokenizer model or pre-tokenizer that is not implemented."""


class TemplateError(RushlightError):
    """A chat template that cannot be rendered."""


class InvalidParameter(RushlightError, ValueError):
    """An option or argument outside its range."""


class ContextOverflow(RushlightError):
    """A prompt that does not fit the context."""


class QueueFull(RushlightError):
    """More requests than the engine was told to let wait; the same one may succeed a moment later."""


class OutOfMemory(RushlightError, MemoryError):
    """The KV cache or the weights do not fit the memory allowed."""


class BackendUnavailable(RushlightError):
    """A backend or kernel target that this machine cannot run."""


class ServerFailure(RushlightError):
    """A server that is asked does not answer as it should."""


class ModelNotFound(RushlightError):
    """A model reference that leads to no file."""


class AmbiguousModel(ModelNotFound):
    """A reference that leads to several files."""


class NetworkUnavailable(ModelNotFound):
    """The file is not on this machine and its host cannot be reached."""


class GatedModel(ModelNotFound):
    """The host wants an account or an accepted licence."""


class CorruptDownload(ModelNotFound):
    """The bytes that arrived do not match their hash or length."""
