"""Short training runs for tests, and their data."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from pixzip.models.family.architectures import FAMILY
from pixzip.train.family import FamilyConfig
from pixzip.train.wavefront import CONFIGS, TrainConfig
from tests.conftest import ROOT
from tests.helpers.family import SIZES, smooth
from tests.helpers.support import scene

#: Names of the files of `write_data`.
DATA, IMAGES = "pictures", "images.npy"
STEPS, BATCH, CROP, SIDE = 12, 4, 32, 8


def write_data(folder: Path) -> None:
    """Write pictures for crops, and small images."""
    (folder / DATA).mkdir()
    for seed in range(6):
        Image.fromarray(scene(3, 40, 48, seed)).save(folder / DATA / f"{seed}.png")
    images = np.stack([smooth(1, SIDE, SIDE, seed) for seed in range(40)])
    np.save(folder / IMAGES, images)


def megapixels_logged(name: str) -> float:
    """What a shipped model saw by the last lines of its logs: `NAME.jsonl`, and `NAME-2.jsonl` of its second run."""
    logs = [p for p in (ROOT / "docs" / "training").iterdir() if re.fullmatch(rf"{name}(-\d+)?\.jsonl", p.name)]
    return sum(json.loads(log.read_text().splitlines()[-1])["megapixels"] for log in logs)


def wavefront_config() -> TrainConfig:
    """`tiny` on smaller crops; half of them with soft chroma, a third recoloured.

    Weights stay floats: rounding them makes a whole step of differences in the last bit, which runs may have.
    """
    return replace(
        CONFIGS["tiny"],
        megapixels=(STEPS - 0.5) * BATCH * CROP**2 / 1e6,
        batch=BATCH,
        crop=CROP,
        soft_chroma=0.5,
        recolour=0.3,
        warmup_steps=4,
        quantise_from=2.0,
        held_out_one_in=3,
        evals=2,
        checkpoint_s=1e9,  # at evaluations only
    )


def family_config() -> FamilyConfig:
    name = "pixelcnn-1"
    return FamilyConfig(
        architecture=name,
        model=FAMILY[name].config_class(**SIZES[name] | {"channels": 1, "head": "mixture", "n_mix": 2}),
        megapixels=(STEPS - 0.5) * BATCH * SIDE**2 / 1e6,
        batch=BATCH,
        optimiser="adam",
        warmup_steps=4,
        eval_images=4,
        evals=2,
        checkpoint_s=1e9,
    )
