"""Models that come with a file: embedded in it, or in a model file of its folder (`docs/format.md`, section 18).

They are as little trusted as the file: bounded before they are unpacked, and checked like a weights file before
anything is computed with them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import NamedTuple

from pixcodecs import forking
from pixcodecs.container import image as container
from pixcodecs.container import models, references
from pixcodecs.container.image import Extra, Header
from pixcodecs.container.limits import LIFT
from pixcodecs.container.models import Carried
from pixcodecs.container.references import Reference
from pixcodecs.errors import BitstreamError, ModelMismatchError, PixzipError, UnsupportedImageError

from pixzip.codec import beside, costs
from pixzip.codec.beside import AnyFolder
from pixzip.models import library, registry
from pixzip.models.base import Model

_EMBEDDED = "the embedded model"


class Loaded(NamedTuple):
    """A model that came with a file, and the size of its weights file."""

    model: Model
    weights_bytes: int


@dataclass(frozen=True)
class _Packed:
    """Packed weights as a cache key: the same bytes are the same model.

    Attributes:
        name: of the model in errors.
        most: bytes of weights that are allowed.
        admit: see `registry.parse`.
    """

    data: bytes
    name: str = field(compare=False)
    most: int = field(compare=False)
    admit: Callable[[str], None] = field(compare=False)


@lru_cache(maxsize=models.MAX_MODELS)
def _loaded(packed: _Packed) -> Loaded:
    weights = models.unpack(packed.data, packed.most, packed.name)
    return Loaded(registry.parse(weights, packed.name, packed.admit), len(weights))


@lru_cache(maxsize=8)
def _packed(weights: bytes) -> bytes:
    return models.pack(weights)


def packed(model: Model) -> bytes:
    """The packed weights of a model."""
    with forking.shielded:
        return _packed(model.to_bytes())


def file_of(model: Model) -> bytes:
    """The bytes of a model file."""
    return models.pack_file(model.model_id, packed(model))


def extras(
    listed: Sequence[Model], reference: Reference, max_pixels: int | None
) -> tuple[tuple[Extra, bytes], ...]:  # fmt: skip
    """The extras that refer to a header's models; none for references by id.

    Raises:
        UnsupportedImageError: the models are too large.
        BitstreamError: see `check_readable`.
    """
    if reference == Reference.ID:
        return ()
    check_readable(listed, max_pixels)
    embeds = reference == Reference.EMBEDDED
    found = [Carried(i, packed(model) if embeds else None) for i, model in enumerate(listed)]
    made = tuple((Extra.MODEL, models.pack_carried(one)) for one in found)
    container.check_extras(made)
    return made


def check_readable(listed: Iterable[Model], max_pixels: int | None) -> None:
    """
    Args:
        max_pixels: None if readers will lift the limits, too.
    Raises:
        BitstreamError: readers refuse a model by default, because its time has no bound, and they do not have it; or
            because it is large and packs to little.
    """
    if max_pixels is None:
        return
    weights_bytes = packed_bytes = 0
    for model in listed:
        if not costs.is_timed(model.architecture):
            _check_here(library.by_id, model.model_id, model.architecture)
        weights_bytes += len(model.to_bytes())
        packed_bytes += len(packed(model))
    most = models.limit(packed_bytes, max_pixels)
    if weights_bytes > most:
        found = f"{weights_bytes} bytes of weights in {packed_bytes}"
        raise BitstreamError(f"file would bring models of {found}, more than the limit of {most}: {LIFT}")


def written_ns(listed: Iterable[Model], reference: Reference) -> int:
    """Nanoseconds that readers take to check models that come with a file; 0 for references by id."""
    if reference == Reference.ID:
        return 0
    return sum(costs.model_ns(model, len(model.to_bytes())) for model in listed)


class Carrying:
    """The models that come with one file."""

    def __init__(self, given: Mapping[bytes, bytes | None], file_bytes: int, folder: AnyFolder | None = None) -> None:
        """
        Args:
            given: model id -> packed weights; None where a model file has them.
            file_bytes: size of the file.
            folder: of the file; None if it is not known.
        Raises:
            BitstreamError: they are more than come with one file.
        """
        if len(given) > models.MAX_MODELS:
            raise BitstreamError(f"file brings {len(given)} models, expected at most {models.MAX_MODELS}")
        self.given, self._file_bytes, self._folder = given, file_bytes, beside.as_folder(folder)
        self._found: dict[bytes, Loaded] = {}
        self._models: dict[bool, dict[bytes, Model]] = {}

    @classmethod
    def of(cls, header: Header, file_bytes: int, folder: AnyFolder | None = None) -> "Carrying":
        """Those of a file with this header.

        Raises:
            BitstreamError: its extras are damaged or contradict the header.
        """
        bodies = [body for kind, body in header.extras if kind is Extra.MODEL]
        found = models.read_carried(bodies, len(header.models))
        if len({header.models[one.position] for one in found}) < len(found):
            raise BitstreamError("file contradicts itself: it says twice where a model is")
        return cls({header.models[one.position]: one.packed for one in found}, file_bytes, folder)

    @classmethod
    def shared(cls, members: Sequence["Carrying"], file_bytes: int, folder: AnyFolder | None) -> "Carrying":
        """Those of a file of several members.

        Raises:
            BitstreamError: they are more than come with one file.
        """
        given: dict[bytes, bytes | None] = {}
        for member in members:
            for model_id, data in member.given.items():
                given[model_id] = given.get(model_id) or data
        return cls(given, file_bytes, folder)

    def model_file(self, model_id: bytes) -> str | None:
        """Where a model's file is; None if there is none."""
        return self._folder.find(references.file_name(model_id), beside.MOST_FOLDERS) if self._folder else None

    def load(self, max_pixels: int | None, model_by_id: Callable[[bytes], Model]) -> dict[bytes, Model]:
        """All models that come with the file, after all checks that need no computing.

        Args:
            max_pixels: None lifts the limits of weights and architectures.
            model_by_id: gives the models that are here, for the model files that are not.
        Raises:
            BitstreamError: a model is damaged, or more than a file may bring by default.
            ModelMismatchError: a model is refused as a weights file is, is another one, or is missing.
        """
        lifted = max_pixels is None
        if lifted not in self._models:
            self._models[lifted] = self._load(max_pixels, model_by_id)
        return self._models[lifted]

    def _load(self, max_pixels: int | None, model_by_id: Callable[[bytes], Model]) -> dict[bytes, Model]:
        left = models.limit(self._file_bytes, max_pixels)
        for model_id, data in self.given.items():
            place = self.model_file(model_id) if data is None else None
            if data is None and place is None:
                continue

            def admit(architecture: str, model_id: bytes = model_id) -> None:
                if max_pixels is not None and not costs.is_timed(architecture):
                    _check_here(model_by_id, model_id, architecture)

            if place is not None and self._folder:
                self._found[model_id] = self._of_file(self._folder, place, model_id, max_pixels, admit)
            else:
                found = self._checked(_Packed(data or b"", _EMBEDDED, left, admit), model_id)
                left -= found.weights_bytes
                self._found[model_id] = found
        missing = self.given.keys() - self._found.keys()
        here = {model_id: _here(model_by_id, model_id) for model_id in missing}
        return here | {model_id: found.model for model_id, found in self._found.items()}

    @classmethod
    def _of_file(
        cls, folder: beside.Folder, place: str, model_id: bytes, max_pixels: int | None, admit: Callable[[str], None]
    ) -> Loaded:
        """The model in a file that the folder has found."""
        try:
            data, most = beside.read(folder, place, model_id, max_pixels)
            return cls._checked(_Packed(data, place, most, admit), model_id)
        except PixzipError:
            folder.forget()
            raise

    @staticmethod
    def _checked(key: _Packed, model_id: bytes) -> Loaded:
        with forking.shielded:
            found = _loaded(key)
        if found.weights_bytes > key.most:  # unpacked earlier for a larger file
            models.unpack(key.data, key.most, key.name)
        key.admit(found.model.architecture)
        registry.check_id(found.model, model_id, key.name)
        return found

    @property
    def cost_ns(self) -> int:
        """Nanoseconds to check the models that `load` found."""
        return sum(costs.model_ns(found.model, found.weights_bytes) for found in self._found.values())


def _check_here(model_by_id: Callable[[bytes], Model], model_id: bytes, architecture: str) -> None:
    """
    Raises:
        BitstreamError: the model, whose time is not estimated, is only in a file that is not trusted.
    """
    try:
        model_by_id(model_id)
    except ModelMismatchError:
        raise BitstreamError(f"file brings a model of {architecture}, whose time has no bound: {LIFT}") from None


def _here(model_by_id: Callable[[bytes], Model], model_id: bytes) -> Model:
    """A model whose file is not there.

    Raises:
        ModelMismatchError: it is not known either.
    """
    try:
        return model_by_id(model_id)
    except ModelMismatchError as e:
        name = references.file_name(model_id)
        raise ModelMismatchError(f"{e}; its file {name} is neither beside this file nor in a folder above") from None


def embedded_once(made: Sequence[bytes]) -> list[bytes]:
    """The files of one file's members, each model of which is embedded in the first one that names it.

    Raises:
        UnsupportedImageError: they bring too many models.
    """
    seen: set[bytes] = set()
    found = []
    for file in made:
        header = container.read_header(file, None)
        given = Carrying.of(header, len(file)).given
        again = {model_id for model_id, data in given.items() if data and model_id in seen}
        seen |= given.keys()
        if len(seen) > models.MAX_MODELS:
            most = f"a file brings at most {models.MAX_MODELS}"
            raise UnsupportedImageError(f"pages use {len(seen)} models, {most}: without --embed-model it needs none")
        found.append(_without(file, header, again) if again else file)
    return found


def _without(file: bytes, header: Header, model_ids: set[bytes]) -> bytes:
    """The file without the weights of some models."""
    positions = {header.models.index(model_id) for model_id in model_ids}
    kept = tuple(
        (kind, body) for kind, body in header.extras if kind is not Extra.MODEL or body[1] not in positions
    )  # fmt: skip
    return container.pack_header(replace(header, extras=kept)) + file[header.size_bytes :]
