"""What files say of their models, for `pixzip info`."""

from collections.abc import Sequence
from typing import Any

from pixcodecs.container import models as container
from pixcodecs.container import references
from pixcodecs.container.image import Buffer
from pixcodecs.container.limits import MODEL_VERSION

from pixzip.codec.carried import Carrying
from pixzip.models import library


def models_facts(model_ids: Sequence[bytes], carrying: Carrying) -> list[dict[str, Any]]:
    """What a file says of its models: where they are, and the bytes that they take, if they come with it."""
    found = []
    for model_id in model_ids:
        fact: dict[str, Any] = {"id": model_id.hex(), "name": library.name_of(model_id)}
        packed = carrying.given.get(model_id)
        if packed:
            fact["embedded_bytes"] = len(packed)
        elif model_id in carrying.given:
            fact |= {
                "model_file": references.file_name(model_id), "model_file_found": carrying.model_file(model_id),
            }  # fmt: skip
        found.append(fact)
    return found


def model_file_facts(data: Buffer, max_pixels: int | None = None) -> dict[str, Any]:
    """The facts on a model file, after all checks that need no computing.

    Args:
        max_pixels: None lifts the limits of weights and architectures.
    Raises:
        BitstreamError: the file is damaged.
        ModelMismatchError: the model is refused, or another one than the file says.
    """
    model_id, packed = container.read_file(data)
    model = Carrying({model_id: packed}, len(data)).load(max_pixels, library.by_id)[model_id]
    return {
        "format_version": MODEL_VERSION,
        "content": "model",
        "models": [{"id": model_id.hex(), "name": library.name_of(model_id)}],
        "architecture": model.architecture,
        "channels": model.channels,
        "multiply_adds": model.multiply_adds,
        "file_bytes": len(data),
        "weights_bytes": len(model.to_bytes()),
    }


def model_text(model: dict[str, Any]) -> str:
    """An entry of `models_facts` in readable form."""
    known = model["name"] or "not shipped here"
    if "embedded_bytes" in model:
        return f"{model['id']} ({known}; embedded, {model['embedded_bytes']} bytes)"
    if "model_file" in model:
        return f"{model['id']} ({known}; in {model['model_file_found'] or model['model_file'] + ', which is missing'})"
    return f"{model['id']} ({known})"
