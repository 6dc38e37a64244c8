"""Named runs of the PixelRNN family: MODEL-DATA with published sizes, MODEL-DATA-small for two CPU cores.

Published sizes are those of [1] (section 5 and table 1), [2] and [3].  Comments mark sizes that these do not state.
The small runs see the same number of images and have 0.4 to 1.5 x 10^5 multiply-adds per pixel, so that the models
can be compared.  For 256 levels they all use the logistic mixture of [3]: a softmax must learn the order of the
levels from examples, of which a small run has too few (`docs/family.md` compares the two).

[1] van den Oord, Kalchbrenner, Kavukcuoglu, Pixel Recurrent Neural Networks, 2016 (arXiv 1601.06759).
[2] van den Oord et al., Conditional Image Generation with PixelCNN Decoders, 2016 (arXiv 1606.05328).
[3] Salimans et al., PixelCNN++, 2017 (arXiv 1701.05517).
"""

from dataclasses import fields, replace
from typing import Any, Literal

from pixzip.models.family.architectures import FAMILY
from pixzip.train.family import FamilyConfig

#: Model's name in configs -> wire name.
NAMES = {
    "pixelcnn": "pixelcnn-1",
    "row-lstm": "row-lstm-1",
    "diagonal-bilstm": "diagonal-bilstm-1",
    "multi-scale": "multi-scale-1",
    "gated-pixelcnn": "gated-pixelcnn-1",
    "pixelcnn-pp": "pixelcnn-pp-1",
}

#: Data -> (channels, levels, side).
DATA = {
    "cifar10": (3, 256, 32),
    "mnist": (1, 256, 28),
    "mnist-binary": (1, 2, 28),
    "imagenet32": (3, 256, 32),
    "imagenet64": (3, 256, 64),
    "photos": (3, 256, 64),
}

#: Published sizes that differ from a config's defaults; the defaults are those for CIFAR-10 in [1], section 5.
_PUBLISHED: dict[tuple[str, str], dict[str, Any]] = {
    # [1]: seven layers of h = 16 with 32 features for binarised MNIST, stated for Diagonal BiLSTM only
    **{(m, d): {"hidden": 16, "layers": 7, "features": 32} for m in NAMES for d in ("mnist", "mnist-binary")},
    # [1], table 1: Row LSTM of 12 layers of h = 384 on 32 x 32, and of 4 layers of h = 512 on 64 x 64, not residual
    ("row-lstm", "imagenet32"): {"hidden": 384},
    ("row-lstm", "imagenet64"): {"hidden": 512, "layers": 4, "residual": False},
    ("multi-scale", "imagenet64"): {"hidden": 512, "layers": 4, "residual": False},
}

#: Sizes of the small configs.
_SMALL: dict[str, dict[str, Any]] = {
    "pixelcnn": {"hidden": 24, "layers": 6, "features": 48},
    "row-lstm": {"hidden": 24, "layers": 3, "features": 48},
    "diagonal-bilstm": {"hidden": 24, "layers": 3, "features": 48},
    "multi-scale": {"hidden": 24, "layers": 2, "features": 48},
    "gated-pixelcnn": {"hidden": 24, "layers": 5, "kernel": 3, "features": 48},
    "pixelcnn-pp": {"hidden": 24, "blocks": 1, "dropout": 0.0},
}


def _config(model: str, data: str, small: bool) -> FamilyConfig:
    channels, levels, side = DATA[data]
    kind = FAMILY[NAMES[model]].config_class
    plus = model == "pixelcnn-pp"
    head: Literal["softmax", "mixture"] = "mixture" if levels == 256 and (plus or small) else "softmax"
    sizes = _SMALL[model] | {"n_mix": 5} if small else _PUBLISHED.get((model, data), {})
    known = {f.name for f in fields(kind)}
    architecture = kind(channels=channels, levels=levels, head=head, **{k: v for k, v in sizes.items() if k in known})
    config = FamilyConfig(
        architecture=NAMES[model],
        model=architecture,
        megapixels=24.576 if small else 10_000.0,
        batch=4 if small else {"imagenet32": 32, "imagenet64": 64}.get(data, 16),
        optimiser="adam" if plus or small else "rmsprop",
        learning_rate=1e-2 if small else 1e-3,
        schedule="cosine" if small else "constant",
        data="crops" if data == "photos" else "images",
        crop=side,
    )
    return config if small else replace(config, ema=0.9995, checkpoint_s=600.0)


def configs() -> dict[str, FamilyConfig]:
    """All named runs."""
    out = {}
    for model, wire in NAMES.items():
        if wire in FAMILY:
            for data in DATA:
                if data != "photos":
                    out[f"{model}-{data}"] = _config(model, data, small=False)
                out[f"{model}-{data}-small"] = _config(model, data, small=True)
    return out


CONFIGS = configs()
