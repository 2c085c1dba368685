"""The inference engine beside a plain transformers loop; see `--help`.

Both sides map the same generated mosaic, from its COG to a mask on disk, with the same trained
weights and the same chips. The plain loop is what the documentation of transformers shows: fp32,
one chip at a time, `post_process_semantic_segmentation`. Rows of a GPU are there only where one is.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import rasterio
import torch
from rasterio.windows import Window

sys.path.insert(0, str(Path(__file__).parent))
from scene import PATCH, Shard, fields, row, trained

from croplayer.grid import PixelWindow
from croplayer.grid.rasters import raster_window
from croplayer.segmentation import storage
from croplayer.segmentation.architectures import SegmentationModel
from croplayer.segmentation.chips import array_reader, chip_origins
from croplayer.segmentation.device import use_bf16
from croplayer.segmentation.engine import Predictor
from croplayer.segmentation.inference import segment_shard
from croplayer.settings.segmentation import SegmentationSettings

BLOCK_IMAGES = 779_554
BLOCK_PIXELS = 2304
AGREEMENT = 0.995
TINY = {
    "preset": "tiny", "weights": None, "chip_pixels": 128, "inference_chip_pixels": 256,
    "overlap_pixels": 32, "learning_rate": 2e-3, "loss_points": 1024, "batch_size": 8,
    "device": "cpu", "schedule": "cosine",
}  # fmt: skip
BASE = {"preset": "base", "chip_pixels": 512, "overlap_pixels": 128, "batch_size": 16,
        "learning_rate": 1e-4, "device": "cuda", "loader_threads": 8}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--quick", action="store_true", help="small sizes, under a minute")
    sizes.add_argument("--full", action="store_true", help="the sizes of the bars (minutes)")
    parser.add_argument("--json", type=Path, help="write the rows here")
    options = parser.parse_args()
    rows: list[dict] = []
    with tempfile.TemporaryDirectory() as folder:
        cases = [lambda: on_cpu(Path(folder), options.full)]
        if torch.cuda.is_available():
            cases += [lambda: on_gpu(Path(folder), options.full)]
        for case in cases:
            for found in case():
                print(json.dumps(found), flush=True)
                rows.append(found)
            if options.json:
                options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


# ---------------------------------------------------------------------- CPU
def on_cpu(folder: Path, full: bool) -> list[dict]:
    """The preset tiny on two cores, from COG to COG."""
    torch.set_num_threads(2)
    settings = SegmentationSettings(**TINY, threads=2)
    model = trained(settings, 200 if full else 30)
    shard = Shard(folder / "cpu", 4 if full else 2, 576, halo=256)
    ours, peer, map_agreement = _both(model, settings, shard, folder, 3)
    agreement = _agreement(model, settings)
    ratio = peer["wall"] / ours["wall"]
    return [
        row(
            "CPU, 2 threads: tiny, COG to COG, beside a plain loop",
            ours["wall"],
            peer["wall"],
            "s",
            2.0,
            passed=ratio >= 2 and agreement >= AGREEMENT,
            note=f"the masks of the same chips agree in {agreement:.2%} of the pixels, the maps, "
            f"where the engine blends overlapping chips, in {map_agreement:.2%}; seconds of the "
            f"processor {ours['cpu']:.3g} beside {peer['cpu']:.3g}",
            mask_agreement=agreement,
            map_agreement=map_agreement,
            cpu_seconds=ours["cpu"],
            peer_cpu_seconds=peer["cpu"],
            precision="bf16" if use_bf16(settings, torch.device("cpu")) else "fp32",
            size=shard.window.height,
        )
    ]


def _both(
    model: SegmentationModel,
    settings: SegmentationSettings,
    shard: Shard,
    folder: Path,
    repeats: int,
) -> tuple[dict[str, float], dict[str, float], float]:
    """Best seconds (`wall`, `cpu`) of the engine and of the plain loop, which take turns.

    The third value is the share of pixels in which the maps are equal. Where chips overlap the
    engine blends what both say, and the plain loop takes one of them: there they differ by design.
    """
    _store(model, settings, folder / "model")
    ours, peer = {"wall": np.inf, "cpu": np.inf}, {"wall": np.inf, "cpu": np.inf}
    for _ in range(repeats):
        for best, work in ((ours, _engine), (peer, partial(_plain, model))):
            began, used = time.perf_counter(), time.process_time()
            work(settings, shard, folder)
            best["wall"] = min(best["wall"], time.perf_counter() - began)
            best["cpu"] = min(best["cpu"], time.process_time() - used)
    masks = []
    for name in ("mask.tif", "plain.tif"):
        with rasterio.open(folder / name) as dataset:
            masks.append(dataset.read(1))
    return ours, peer, float(np.mean(masks[0] == masks[1]))


def _agreement(model: SegmentationModel, settings: SegmentationSettings) -> float:
    """Share of pixels in which both sides say the same of the same chips."""
    rgb, _ = fields(PATCH)
    chip = settings.inference_chip
    corners = [(top, left) for top in range(0, PATCH, chip) for left in range(0, PATCH, chip)]
    chips = np.stack([rgb[top : top + chip, left : left + chip] for top, left in corners])
    predictor = Predictor(model, settings)
    found = predictor.chips(chips, np.ones(chips.shape[:3], dtype=bool)) >= settings.threshold
    predict = _plain_network(model, settings)
    plain = [np.asarray(predict(image)) for image in chips.transpose(0, 3, 1, 2)]
    return float(np.mean(found == np.stack(plain)))


def _store(model: SegmentationModel, settings: SegmentationSettings, folder: Path) -> None:
    storage.save_description(model, settings.architecture, settings.chip_pixels, folder)
    storage.save_weights(model, folder)


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _engine(settings: SegmentationSettings, shard: Shard, folder: Path):
    """Our side; loading the model and writing the probability besides the mask are in its time."""
    return segment_shard(
        mosaic=shard.mosaic,
        blocks=shard.blocks,
        grid=shard.grid,
        model_dir=folder / "model",
        settings=settings,
        probability=folder / "probability.tif",
        mask=folder / "mask.tif",
    )


def _plain(
    model: SegmentationModel, settings: SegmentationSettings, shard: Shard, folder: Path
) -> None:
    """The peer: read a chip, predict it, write the middle of its mask."""
    chip, margin = settings.inference_chip, settings.overlap // 2
    window, keep = shard.window, settings.stride_pixels
    predict = _plain_network(model, settings)
    profile = {
        "driver": "GTiff", "height": window.height, "width": window.width, "count": 1,
        "dtype": "uint8", "tiled": True, "compress": "deflate",
        "crs": "EPSG:4326", "transform": shard.grid.transform(window),
    }  # fmt: skip
    with (
        rasterio.open(shard.mosaic) as source,
        rasterio.open(folder / "plain.tif", "w", **profile) as target,
    ):
        covered = raster_window(source, shard.grid)
        whole = np.zeros((window.height, window.width), dtype=np.uint8)
        for top in chip_origins(window.row, window.row + window.height, chip, keep):
            for left in chip_origins(window.col, window.col + window.width, chip, keep):
                place = Window(left - covered.col, top - covered.row, chip, chip)
                mask = predict(source.read([1, 2, 3], window=place))
                _paste(whole, mask[margin : margin + keep, margin : margin + keep],
                       top + margin - window.row, left + margin - window.col)  # fmt: skip
        target.write(whole, 1)


def _plain_network(
    model: SegmentationModel, settings: SegmentationSettings
) -> Callable[[np.ndarray], np.ndarray]:
    """uint8 (3, rows, columns) -> mask, as the documentation of transformers does it."""
    from transformers import Mask2FormerImageProcessor

    device = torch.device(settings.device)
    network = model.network.to(device).eval()
    processor = Mask2FormerImageProcessor(
        do_resize=False, image_mean=model.mean.tolist(), image_std=model.std.tolist()
    )

    def predict(image: np.ndarray) -> np.ndarray:
        inputs = processor(images=image, return_tensors="pt").to(device)
        with torch.no_grad():
            outputs = network(pixel_values=inputs["pixel_values"])
        size = [image.shape[1:]]
        return processor.post_process_semantic_segmentation(outputs, target_sizes=size)[0].cpu()

    return predict


def _paste(whole: np.ndarray, part: np.ndarray, top: int, left: int) -> None:
    r0, c0 = max(top, 0), max(left, 0)
    r1, c1 = min(top + part.shape[0], whole.shape[0]), min(left + part.shape[1], whole.shape[1])
    if r1 > r0 and c1 > c0:
        whole[r0:r1, c0:c1] = part[r0 - top : r1 - top, c0 - left : c1 - left]


# ---------------------------------------------------------------------- GPU
def on_gpu(folder: Path, full: bool) -> list[dict]:
    """Mask2Former base: the network alone, its share of the card's peak, and from COG to COG."""
    settings = SegmentationSettings(**BASE)
    model = trained(settings, 200 if full else 60)
    rows = _network_rows(model, settings, full)
    fastest = min(rows, key=lambda found: found["ours"])
    settings = settings.model_copy(update={"acceleration": fastest["acceleration"]})
    rows.append(_share_of_peak(model, settings, fastest["ours"]))
    return rows + _cog_rows(model, settings, folder, full)


def _network_rows(model: SegmentationModel, settings: SegmentationSettings, full: bool):
    """Seconds a chip for each way to run the network, imagery in memory, beside the plain loop."""
    times = 8 if full else 4
    rgb = np.tile(fields(PATCH)[0], (times, times, 1))
    window = PixelWindow(0, 0, *rgb.shape[:2])
    read = array_reader(rgb, np.ones(rgb.shape[:2], dtype=bool), window)
    predict = _plain_network(model, settings)
    chip = settings.inference_chip
    image = np.ascontiguousarray(rgb[:chip, :chip].transpose(2, 0, 1))
    predict(image)
    peer = statistics.median(_timed(lambda: predict(image)) for _ in range(20))
    agreement = _agreement(model, settings)
    rows = []
    for way in ("none", "cuda_graphs", "compile"):
        predictor = Predictor(model, settings.model_copy(update={"acceleration": way}))
        for _ in range(2):  # the first one captures or compiles
            for _ in predictor.pieces(window, read):
                pass
        if predictor.acceleration != way:
            print(f"{way}: not possible here", file=sys.stderr)
            continue
        figures = predictor.figures
        ours = figures.seconds / figures.chips
        rows.append(
            row(
                f"GPU: base, one chip of {chip} pixels, {way}, beside a plain loop", ours, peer,
                "s a chip", 8.0, passed=peer / ours >= 8 and agreement >= AGREEMENT,
                mask_agreement=agreement, acceleration=way, size=figures.chips,
            )
        )  # fmt: skip
    return rows


def _share_of_peak(
    model: SegmentationModel, settings: SegmentationSettings, seconds: float
) -> dict:
    """Operations a second of the network by those of a large matrix product in bf16."""
    from torch.utils.flop_counter import FlopCounterMode

    chip = settings.inference_chip
    image = torch.zeros(1, 3, chip, chip, device="cuda")
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        model.to("cuda").eval()(image)
    rate = counter.get_total_flops() / seconds / 1e12
    size = 8192
    a, b = (torch.randn(size, size, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    for _ in range(3):
        a @ b
    begun, done = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    begun.record()
    for _ in range(20):
        a @ b
    done.record()
    torch.cuda.synchronize()
    peak = 20 * 2 * size**3 / (begun.elapsed_time(done) / 1000) / 1e12
    return row("GPU: base, share of the bf16 peak measured on this card", rate, peak, "TFLOP/s",
               None, ratio=rate / peak, size=chip)  # fmt: skip


def _cog_rows(
    model: SegmentationModel, settings: SegmentationSettings, folder: Path, full: bool
) -> list[dict]:
    """A shard from COG to COG: how long the GPU rests, and what that makes of a whole country."""
    shard = Shard(folder / "gpu", 8 if full else 2, BLOCK_PIXELS, halo=settings.inference_chip)
    _store(model, settings, folder / "model")
    _engine(settings, shard, folder)  # the system's cache of files is warm
    began = time.perf_counter()
    figures = _engine(settings, shard, folder)
    wall = time.perf_counter() - began
    hours = BLOCK_IMAGES * (wall / len(shard.blocks)) / 3600
    return [
        row(
            "GPU: base, share of time at rest once warm, COG to COG", figures.idle_share, None,
            "share", 0.10, ratio=figures.idle_share, passed=figures.idle_share <= 0.10,
            size=shard.window.height,
        ),
        row(
            f"GPU: {BLOCK_IMAGES} block images of {BLOCK_PIXELS} x {BLOCK_PIXELS} pixels, "
            "projected", hours, None, "hours", 48.0, ratio=None, passed=hours < 48,
            size=shard.window.height, acceleration=settings.acceleration,
            note=f"one GPU, one job after the other, the wall time of a shard of "
            f"{len(shard.blocks)} blocks with its start and its last compression ({wall:.1f} s), "
            "chips of 512 pixels overlapping by 128; every block has imagery; without Python's own "
            "start",
        ),
    ]  # fmt: skip


if __name__ == "__main__":
    main()
