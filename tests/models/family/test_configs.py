"""Named runs of the PixelRNN family: sizes are valid, and published sizes match the papers."""

import math
from typing import Any

import pytest
import torch

from pixzip.models.family.architectures import FAMILY
from pixzip.models.family.density import DensityConfig
from pixzip.train.family_configs import CONFIGS, DATA, NAMES


@pytest.mark.parametrize("name", CONFIGS)
def test_every_config_has_sizes_that_its_model_can_have(name: str) -> None:
    config = CONFIGS[name]
    cls = FAMILY[config.architecture]
    assert type(config.model) is cls.config_class
    config.model.check()
    data_set = name.removeprefix(next(m for m in sorted(NAMES, key=len)[::-1] if name.startswith(m)) + "-")
    channels, levels, side = DATA[data_set.removesuffix("-small")]
    assert (config.model.channels, config.model.levels) == (channels, levels)
    assert config.data == "crops" if "photos" in name else config.data == "images"
    assert config.crop == side
    with torch.device("meta"):
        model = cls(config.model)
    assert model.n_parameters > 1000


def test_there_is_a_config_for_every_model_and_data() -> None:
    published = {f"{m}-{d}" for m in NAMES for d in DATA if d != "photos"}
    assert set(CONFIGS) == published | {f"{m}-{d}-small" for m in NAMES for d in DATA}
    assert set(NAMES.values()) == set(FAMILY)


#: Sizes stated in the papers (arXiv 1601.06759, 1606.05328 and 1701.05517).
PUBLISHED: dict[str, dict[str, Any]] = {
    "pixelcnn-cifar10": {"layers": 15, "hidden": 128, "features": 1024, "first": 7, "head": "softmax"},
    "row-lstm-cifar10": {"layers": 12, "hidden": 128, "features": 1024, "first": 7, "kernel": 3, "residual": True},
    "diagonal-bilstm-cifar10": {"layers": 12, "hidden": 128, "features": 1024, "first": 7, "head": "softmax"},
    "diagonal-bilstm-mnist-binary": {"layers": 7, "hidden": 16, "features": 32, "levels": 2, "channels": 1},
    "row-lstm-imagenet32": {"layers": 12, "hidden": 384},
    "row-lstm-imagenet64": {"layers": 4, "hidden": 512, "residual": False},
    "multi-scale-imagenet64": {"layers": 4, "hidden": 512, "core": "row-lstm", "stride": 2},
    "gated-pixelcnn-cifar10": {"layers": 20, "hidden": 384, "kernel": 5, "first": 7, "head": "softmax"},
    "pixelcnn-pp-cifar10": {"hidden": 160, "blocks": 5, "scales": 3, "n_mix": 10, "dropout": 0.5, "head": "mixture"},
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_configs_have_the_published_numbers(name: str) -> None:
    config = CONFIGS[name]
    assert {k: getattr(config.model, k) for k in PUBLISHED[name]} == PUBLISHED[name]
    assert config.batch == {"imagenet32": 32, "imagenet64": 64}.get(name.split("-")[-1], 16)
    assert config.optimiser == ("adam" if name.startswith("pixelcnn-pp") else "rmsprop")
    assert (config.learning_rate, config.schedule) == (1e-3, "constant")


def test_defaults_are_the_published_setting_for_cifar10() -> None:
    for name, config in CONFIGS.items():
        if name.endswith("-cifar10"):
            assert config.model == FAMILY[config.architecture].config_class()
    assert DensityConfig() == DensityConfig(channels=3, levels=256, head="softmax", n_mix=10)
    assert math.isclose(CONFIGS["pixelcnn-pp-cifar10"].model.dropout, 0.5)  # type: ignore[attr-defined]
