"""The training step beside a plain transformers loop; see `--help`.

Both sides start from the same weights and see the same chips of a generated scene, step for step,
with AdamW at the same learning rate. The plain loop is the documented one: fp32,
`model(pixel_values, mask_labels, class_labels).loss`. Afterwards both models are held against chips
that neither has seen, by one measure: the loss of this project in fp32, and the IoU of the mask.
Rows of a GPU are there only where one is.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent))
from scene import SEED, row, sampler

from croplayer.segmentation.architectures import SegmentationModel, build_model
from croplayer.segmentation.device import memory_format, use_bf16
from croplayer.segmentation.passes import ChipLosses, Passes
from croplayer.segmentation.ranks import make_fabric
from croplayer.segmentation.sampling import Batch
from croplayer.settings.segmentation import SegmentationSettings

SAME_CURVE = 1.05
"""Largest loss on unseen chips, relative to the peer's, that counts as the same curve."""
WARM_UP = 2
TINY = {"preset": "tiny", "chip_pixels": 128, "batch_size": 8, "learning_rate": 1e-3,
        "loss_points": 1024, "device": "cpu", "threads": 2}  # fmt: skip
BASE = {"preset": "base", "chip_pixels": 512, "batch_size": 16, "learning_rate": 1e-4,
        "device": "cuda", "loader_threads": 8}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--quick", action="store_true", help="few steps, under a minute")
    sizes.add_argument("--full", action="store_true", help="the steps of the bars (minutes)")
    parser.add_argument("--json", type=Path, help="write the rows here")
    options = parser.parse_args()
    torch.set_num_threads(2)
    cases = [("CPU, 2 threads: tiny", TINY, 40 if options.full else 10, None)]
    if torch.cuda.is_available():
        cases.append(("GPU: base", BASE, 120 if options.full else 20, 2.0))
    rows = []
    for name, keys, steps, bar in cases:
        rows.append(beside(name, SegmentationSettings(**keys), steps, bar))
        print(json.dumps(rows[-1]), flush=True)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def beside(name: str, settings: SegmentationSettings, steps: int, bar: float | None) -> dict:
    """Seconds a chip on both sides, and how well both models do afterwards."""
    torch.manual_seed(SEED)
    start = build_model(settings)
    chips = sampler(settings, start)
    ahead = settings.loader_threads if settings.device == "cuda" else 0
    ours, peer = copy.deepcopy(start), copy.deepcopy(start)
    our_seconds = _ours(ours, settings, chips.batches(0, steps, ahead))
    peer_seconds = _plain(peer, settings, chips.batches(0, steps, ahead))
    unseen = chips.batch(10 * steps)
    our_loss, our_iou = _held_out(ours, settings, unseen)
    peer_loss, peer_iou = _held_out(peer, settings, unseen)
    per_chip = (steps - WARM_UP) * settings.batch_size
    ratio = peer_seconds / our_seconds
    same = our_loss <= SAME_CURVE * peer_loss
    return row(
        f"{name}, one chip of {settings.chip_pixels} pixels in training, beside a plain loop",
        our_seconds / per_chip, peer_seconds / per_chip, "s a chip", bar,
        passed=(bar is None or ratio >= bar) and same, size=steps,
        note=f"after {steps} steps the loss of unseen chips was {our_loss:.4g} beside "
        f"{peer_loss:.4g}, their IoU {our_iou:.3f} beside {peer_iou:.3f}",
        loss_unseen=our_loss, peer_loss_unseen=peer_loss, iou_unseen=our_iou,
        peer_iou_unseen=peer_iou,
        precision="bf16" if use_bf16(settings, torch.device(settings.device)) else "fp32",
    )  # fmt: skip


def _ours(model: SegmentationModel, settings: SegmentationSettings, batches) -> float:
    """Seconds of the steps after the first ones, by the project's passes."""
    fabric = make_fabric(settings)
    model.to(fabric.device, memory_format=memory_format(fabric.device))
    passes = Passes(model, settings, fabric)
    optimiser = torch.optim.AdamW(
        model.parameters(), settings.learning_rate, fused=fabric.device.type == "cuda"
    )
    began = 0.0
    for step, batch in enumerate(batches):
        if step == WARM_UP:
            began = _now(settings)
        passes.run(batch, step)
        torch.nn.utils.clip_grad_norm_(model.parameters(), settings.gradient_clip_norm)
        optimiser.step()
    seconds = _now(settings) - began
    passes.close()
    return seconds


def _plain(model: SegmentationModel, settings: SegmentationSettings, batches) -> float:
    """Seconds of the same steps by the network of transformers with its own loss."""
    device = torch.device(settings.device)
    network = model.network.to(device).train()
    mean, std = (value.to(device)[:, None, None] for value in (model.mean, model.std))
    optimiser = torch.optim.AdamW(network.parameters(), settings.learning_rate)
    began = 0.0
    for step, batch in enumerate(batches):
        if step == WARM_UP:
            began = _now(settings)
        images = (batch.images.to(device) - mean) / std
        masks, classes = _targets(batch, device)
        loss = network(pixel_values=images, mask_labels=masks, class_labels=classes).loss
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), settings.gradient_clip_norm)
        optimiser.step()
    return _now(settings) - began


def _targets(batch: Batch, device: torch.device) -> tuple[list, list]:
    """The masks of the classes that a chip holds, and which they are."""
    masks, classes = [], []
    for labels in batch.labels:
        held = labels.unique()
        classes.append(held.to(device))
        masks.append((labels[None] == held[:, None, None]).float().to(device))
    return masks, classes


@torch.no_grad()
def _held_out(
    model: SegmentationModel, settings: SegmentationSettings, batch: Batch
) -> tuple[float, float]:
    """Loss of the chips in fp32, and the IoU of cropland."""
    device = torch.device(settings.device)
    batch = batch.to(device)
    model.to(device).train()
    parts = ChipLosses(model, bf16=False, cache=True)(batch.images, batch.labels, batch.valid, SEED)
    model.eval()
    odds = model.cropland_logits(model(batch.images), tuple(batch.labels.shape[1:]))
    found, truth = odds > 0, batch.labels == 1
    iou = (found & truth).sum() / (found | truth).sum()
    return float(torch.stack(list(parts.values())).sum(0).mean()), float(iou)


def _now(settings: SegmentationSettings) -> float:
    if settings.device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


if __name__ == "__main__":
    main()
