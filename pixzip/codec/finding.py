"""Find the models that files need: those that come with them, and others that are here."""

from collections.abc import Iterable

from pixcodecs.container.stack import StackHeader
from pixcodecs.errors import ModelMismatchError

from pixzip.codec.carried import Carrying
from pixzip.codec.opening import Opening
from pixzip.codec.options import Options
from pixzip.models.base import Model

#: Models by their ids.
Models = dict[bytes, Model]


def find_models(openings: Iterable[Opening], options: Options) -> Models:
    """The models that files need, by id: those that come with them, and others that are here.

    Raises:
        BitstreamError: a model that comes with a file is damaged, or more than it may bring by default.
        ModelMismatchError: a model is missing, refused, or has another id than requested.
    """
    here, brought = Models(), Models()
    for opening in openings:
        own = opening.carrying.load(options.max_pixels, options.model_by_id)
        for wanted in opening.header.models:
            if wanted in own:
                brought[wanted] = own[wanted]
            elif wanted not in here:
                here[wanted] = options.model_by_id(wanted)
    found = here | brought
    for wanted, model in found.items():
        if model.model_id != wanted:
            raise ModelMismatchError(f"file needs model {wanted.hex()}, this is {model.model_id.hex()}")
    return found


def model_of_stack(header: StackHeader, file_bytes: int, options: Options) -> tuple[Model, int]:
    """The model of a stack, and the nanoseconds that it takes to check it if it is embedded.

    Raises:
        BitstreamError, ModelMismatchError: see `find_models`.
    """
    if header.weights:
        carrying = Carrying({header.model: header.weights}, file_bytes)
        return carrying.load(options.max_pixels, options.model_by_id)[header.model], carrying.cost_ns
    model = options.model_by_id(header.model)
    if model.model_id != header.model:
        raise ModelMismatchError(f"file needs model {header.model.hex()}, this is {model.model_id.hex()}")
    return model, 0
