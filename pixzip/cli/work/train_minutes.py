"""The work of `pixzip train FOLDER -o MODEL --minutes N`: a run that is chosen, and what it brought."""

import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from pixcodecs.errors import PixzipError

from pixzip import codec
from pixzip.cli.options import Manner
from pixzip.cli.say import say, show
from pixzip.cli.work.threads import set_threads
from pixzip.cli.work.train import Machine
from pixzip.cli.work.training_display import Display
from pixzip.codec import resolve_device
from pixzip.codec.efforts import DEFAULT_EFFORT, PLAIN_EFFORT
from pixzip.io import files
from pixzip.models import library
from pixzip.train import automatic, wavefront
from pixzip.train.automatic import Material, Plan
from pixzip.train.data import Picture
from pixzip.train.execution import Execution
from pixzip.train.parallel import Processes

#: Largest side of what is reported on, so that the report takes a small part of the time.
_REPORT_SIDE = 512
#: A model that saves less than this share is not worth to be kept with its files.
_WORTH = 0.005


def train(data: Sequence[Path], out: Path, minutes: float, machine: Machine, manner: Manner) -> None:
    """Choose a run, train, write the model, and print what it saves.

    Args:
        out: the weights file; its run is in a folder beside it until it is complete, from which it continues.
        manner: only `quiet` and `verbose` are used.
    Raises:
        PixzipError: the images are too few, or the run failed.
        OSError: a file cannot be read or written.
    """
    began = time.monotonic()
    where = resolve_device(machine.device)
    set_threads(machine.threads)
    run = out.with_name(out.name + ".run")
    files.check_writable(str(out), force=True)
    execution = Execution(Processes(device=where), bool(machine.compiled), machine.peak_tflops, machine.precision)
    try:
        material = automatic.gather(data)
        plan = _plan(material, run, minutes, where, execution, manner)
        with Display(plan.config.megapixels, True, manner, plan.length.seconds) as display:
            images, start = material.images, plan.start
            model = wavefront.train(images, plan.config, run, where, display, start, execution)
    except (ValueError, FloatingPointError) as e:
        raise PixzipError(str(e)) from e
    files.write(str(out), model.to_bytes(), force=True)
    found = report(material.report, str(out))
    shutil.rmtree(run)
    seconds = time.monotonic() - began
    for line in lines(found, str(out), len(material.report), plan):
        show(line)
    if not manner.quiet:
        say(f"{out}: model {model.model_id.hex()}, {seconds / 60:.1f} minutes")


def _plan(
    material: Material, run: Path, minutes: float, where: str, execution: Execution, manner: Manner
) -> Plan:  # fmt: skip
    """The plan of an interrupted run, or a new one."""
    path = run / "plan.json"
    if path.exists():
        try:
            return Plan.from_json(path.read_text("utf-8"))
        except ValueError as e:
            raise PixzipError(f"{path} {e}") from None
    plan = automatic.plan(material, 60 * minutes, where, execution)
    run.mkdir(parents=True, exist_ok=True)
    files.write(str(path), plan.to_json().encode(), force=True)
    if not manner.quiet:
        kind = "grey" if material.channels == 1 else "RGB"
        left = f", {material.left_out} of the other kind left out" if material.left_out else ""
        say(f"{len(material.images)} {kind} images to learn from, {len(material.report)} to report on{left}")
        for tried in plan.tried:
            say(f"{tried.candidate.start}: {tried.bits:.3f} bits/dim, trains {tried.megapixels_per_s:.3f} MP/s")
        length = plan.length
        say(f"goes on from {plan.chosen.start} for {length.seconds / 60:.1f} minutes in crops of {length.crop}")
    return plan


def report(pictures: Sequence[Picture], model: str) -> dict[str, dict[str, int]]:
    """The bytes of files of some images: "base" and "own" -> "plain", without a stage, and "adapted", with it."""
    parts = [picture[:_REPORT_SIDE, :_REPORT_SIDE] for picture in pictures]
    images = [codec.as_picture(part[..., 0] if part.shape[2] == 1 else part) for part in parts]
    efforts = {"plain": PLAIN_EFFORT, "adapted": DEFAULT_EFFORT}

    def sizes(name: str) -> dict[str, int]:
        options = {kind: codec.Options.of(name, "cpu", effort) for kind, effort in efforts.items()}
        return {kind: sum(map(len, codec.compress(images, of))) for kind, of in options.items()}

    return {"base": sizes(library.DEFAULT), "own": sizes(model)}


def lines(found: dict[str, dict[str, int]], out: str, count: int, plan: Plan) -> list[str]:
    """The report, and whether to keep the model."""
    base, own = found["base"], found["own"]
    saved = {kind: 1 - own[kind] / base[kind] for kind in base}
    heads = {"plain": f"without a stage (-e {PLAIN_EFFORT})", "adapted": f"adapting (-e {DEFAULT_EFFORT})"}
    rows = [f"{count} held-out images{'':<12}{'base':>14}{'this model':>14}{'saved':>9}"]
    rows += [f"  {heads[k]:<28}{base[k]:>14,}{own[k]:>14,}{100 * saved[k]:>8.2f}%" for k in heads]
    if saved["adapted"] >= _WORTH:
        rows.append(f"Keep it: `pixzip compress --model {out}` saves {100 * saved['adapted']:.1f} % of the bytes.")
    elif saved["adapted"] <= -_WORTH:
        rows.append(f"It is not worth keeping: it takes {-100 * saved['adapted']:.1f} % more bytes than base.")
    else:
        rows.append("It is not worth keeping: base takes about as few bytes, and is always there to decode with.")
    if plan.chosen.config.startswith("fast") or plan.chosen.config.startswith("graphics"):
        rows.append("It has the size of fast, so that it codes about twice as fast as base.")
    return rows
