"""What is in flight is bounded, comes in order, and ends cleanly."""

from __future__ import annotations

import threading
import time
from contextlib import nullcontext

import numpy as np
import pytest
import rasterio
import torch
from rasterio.transform import Affine
from rasterio.windows import Window

from croplayer.grid import PixelWindow
from croplayer.segmentation import executor as executor_module
from croplayer.segmentation.ahead import map_ahead
from croplayer.segmentation.architectures import build_model
from croplayer.segmentation.chips import array_reader, blend_weights, stretches
from croplayer.segmentation.engine import Predictor, batch_size
from croplayer.segmentation.executor import ChipNetwork, CudaExecutor
from croplayer.segmentation.graphs import CaptureError, KeptConstants
from croplayer.segmentation.writing import CogWriter

CPU = torch.device("cpu")


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_results_come_in_order_and_never_far_ahead(threads):
    lock, started, taken, furthest = threading.Lock(), [0], [0], [0]

    def work(item):
        with lock:
            started[0] += 1
            furthest[0] = max(furthest[0], started[0] - taken[0])
        time.sleep(0.002 * (item % 3))
        return item * item

    found = []
    for value in map_ahead(work, iter(range(40)), threads=threads, name="test"):
        time.sleep(0.001)
        found.append(value)
        taken[0] += 1
    assert found == [item * item for item in range(40)]
    assert furthest[0] <= max(2 * threads, 1)


def test_an_error_ahead_is_raised_where_its_result_is_due():
    def work(item):
        if item == 3:
            raise ValueError("three")
        return item

    found = []
    with pytest.raises(ValueError, match="three"):
        for value in map_ahead(work, range(9), threads=2, name="test"):
            found.append(value)
    assert found == [0, 1, 2]
    assert not [t for t in threading.enumerate() if t.name.startswith("test_")]


def test_stretches_hold_neighbours_alone():
    assert list(stretches([0, 48, 96, 300, 348], 64, 2)) == [[0, 48], [96], [300, 348]]
    assert list(stretches([], 64, 2)) == []


# ---------------------------------------------------------------------- engine
class _Watched:
    """A reader that counts the pixels that are read and not yet let go of."""

    def __init__(self, window):
        rng = np.random.default_rng(0)
        self.rgb = rng.integers(0, 256, (window.height, window.width, 3), dtype=np.uint8)
        self.read = array_reader(
            self.rgb, np.ones((window.height, window.width), dtype=bool), window
        )
        self.held = self.most = 0
        self.lock = threading.Lock()

    def __call__(self, part):
        import weakref

        rgb, valid = self.read(part)
        with self.lock:
            self.held += valid.size
            self.most = max(self.most, self.held)

        def freed(size=valid.size):
            with self.lock:
                self.held -= size

        weakref.finalize(rgb, freed)
        return rgb, valid


def test_memory_does_not_grow_with_the_shard(local_mean, micro):
    settings = micro.model_copy(
        update={"inference_batch_size": 3, "loader_threads": 2, "threads": 2}
    )
    most = {}
    for height in (200, 1000):
        window = PixelWindow(0, 0, height, 700)
        watched = _Watched(window)
        for _, piece in Predictor(local_mean, settings).pieces(window, watched):
            assert piece.shape[0] <= settings.inference_chip
        most[height] = watched.most
    assert most[1000] <= 1.5 * most[200], "five times the pixels, the same in flight"
    assert most[1000] < 0.25 * 1000 * 700


def test_batches_are_filled_across_rows(local_mean, micro, monkeypatch):
    settings = micro.model_copy(update={"inference_batch_size": 7})
    window = PixelWindow(0, 0, 200, 150)
    predictor = Predictor(local_mean, settings)
    sizes = []
    plain = predictor.network.weighted
    monkeypatch.setattr(
        predictor.network, "weighted", lambda *a: sizes.append(len(a[0])) or plain(*a)
    )
    list(predictor.pieces(window, _Watched(window)))
    assert sum(sizes) == predictor.figures.chips > 7
    assert set(sizes[:-1]) == {7}, "one batch at the end is not full, and no other"


def test_an_abandoned_run_leaves_no_thread(local_mean, micro):
    settings = micro.model_copy(update={"loader_threads": 1})
    window = PixelWindow(0, 0, 600, 300)
    pieces = Predictor(local_mean, settings).pieces(window, _Watched(window))
    next(pieces)
    pieces.close()
    names = {thread.name.split("_")[0] for thread in threading.enumerate()}
    assert not names & {"reader", "inference"}


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_network_answers_the_same_in_every_window(micro, precision):
    """Mask2Former itself, and not a stand-in: another window makes other batches."""
    torch.manual_seed(1)
    settings = micro.model_copy(update={"precision": precision, "inference_batch_size": 4})
    predictor = Predictor(build_model(settings), settings)
    everything = PixelWindow(960, 960, 230, 270)
    watched = _Watched(everything)
    whole = predictor.map_window(everything, watched)
    for part in (PixelWindow(1030, 1031, 70, 65), PixelWindow(1040, 1030, 5, 130)):
        found = predictor.map_window(part, watched)
        assert np.abs(found - whole[part.relative_to(everything)]).max() < 1e-3
    assert whole.std() > 1e-3


def test_a_batch_on_a_cpu_is_what_its_caches_hold(micro):
    settings = micro.model_copy(update={"inference_batch_size": None})
    sizes = {}
    for chip in (64, 256, 512, 1024):
        at = settings.model_copy(update={"inference_chip_pixels": chip})
        sizes[chip] = (batch_size(at, CPU, False), batch_size(at, CPU, True))
    assert sizes == {64: (32, 32), 256: (4, 8), 512: (1, 2), 1024: (1, 1)}
    assert batch_size(settings, torch.device("cuda"), True) == 32


def test_constants_are_made_once():
    with KeptConstants():
        first, again = (torch.tensor([[3, 4], [1, 2]]) for _ in range(2))
        assert again is first
        assert torch.tensor([[3, 4], [1, 2]], dtype=torch.float32) is not first
        other = torch.as_tensor([3, 4])
        assert other.tolist() == [3, 4]
        copied = torch.as_tensor(first)
        assert copied is first or torch.equal(copied, first)
    assert torch.tensor([[3, 4], [1, 2]]) is not first


# ---------------------------------------------------------------------- the queue of a GPU
class _Event:
    """Stands for a CUDA event on a machine without one: work ends before it is recorded."""

    def __init__(self, enable_timing=False):
        self.recorded = False

    def record(self, stream=None):
        self.recorded = True

    def synchronize(self):
        assert self.recorded, "nobody would ever wake up"

    def elapsed_time(self, other):
        assert self.recorded
        assert other.recorded
        return 2.0


class _Stream:
    def __init__(self, device=None):
        pass

    def wait_event(self, event):
        assert event.recorded


@pytest.fixture
def queue(local_mean, micro, monkeypatch):
    """The executor of a GPU, whose device is the CPU and whose streams are stand-ins."""
    monkeypatch.setattr(torch.cuda, "Event", _Event)
    monkeypatch.setattr(torch.cuda, "Stream", _Stream)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: _Stream())
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: nullcontext())
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: None)
    weights = blend_weights(micro.chip_pixels, micro.overlap_pixels)
    return lambda way: CudaExecutor(ChipNetwork(local_mean, CPU, bf16=False), weights, 4, way)


def test_the_queue_of_a_gpu_gives_what_threads_give(queue, local_mean, micro, monkeypatch):
    window = PixelWindow(70, 90, 210, 170)
    read = _Watched(window)
    predictor = Predictor(local_mean, micro.model_copy(update={"inference_batch_size": 4}))
    expected = predictor.map_window(window, read)
    executor = queue("none")
    monkeypatch.setattr(predictor, "_executor", lambda: executor)
    for _ in range(2):
        found = predictor.map_window(window, read)
        np.testing.assert_allclose(found, expected, atol=1e-6)
        batches = -(-predictor.figures.chips // 4)
        assert predictor.figures.chips % 4, "the last batch is padded"
        assert predictor.figures.busy_seconds == pytest.approx(batches * 0.002)


def test_a_network_that_no_graph_holds_runs_without(queue, monkeypatch, caplog):
    def refuses(*_):
        raise CaptureError("operation not permitted when stream is capturing")

    monkeypatch.setattr(executor_module, "CapturedGraph", refuses)
    assert queue("auto").acceleration == "none"
    assert "cannot be captured as a CUDA graph: operation not permitted" in caplog.text


# ---------------------------------------------------------------------- writing
def _raster(height):
    return {
        "height": height, "width": 256, "bands": 1, "dtype": "uint8",
        "transform": Affine(1e-4, 0, 112, 0, -1e-4, 24),
    }  # fmt: skip


def test_a_writer_writes_what_it_is_given(tmp_path):
    values = np.random.default_rng(0).integers(0, 255, (1, 600, 256), dtype=np.uint8)
    with CogWriter(tmp_path / "a.tif", **_raster(600)) as writer:
        for row in range(0, 600, 100):
            writer.put(Window(0, row, 256, 100), values[:, row : row + 100])
    with rasterio.open(tmp_path / "a.tif") as dataset:
        np.testing.assert_array_equal(dataset.read(), values)


def test_an_error_in_between_leaves_no_file(tmp_path):
    with (
        pytest.raises(KeyError),
        CogWriter(tmp_path / "a.tif", **_raster(600)) as writer,
    ):
        writer.put(Window(0, 0, 256, 100), np.zeros((1, 100, 256), dtype=np.uint8))
        raise KeyError("elsewhere")
    assert list(tmp_path.iterdir()) == []


def test_a_writer_that_fails_says_so_and_never_blocks(tmp_path):
    wrong = np.zeros((3, 100, 256), dtype=np.uint8)
    with (
        pytest.raises(ValueError),
        CogWriter(tmp_path / "a.tif", ahead=1, **_raster(600)) as writer,
    ):
        for _ in range(50):
            writer.put(Window(0, 0, 256, 100), wrong)
    assert list(tmp_path.iterdir()) == []


def test_threads_that_compress_change_no_byte(tmp_path):
    values = np.random.default_rng(0).integers(0, 9, (1, 1500, 256), dtype=np.uint8)
    for threads in (1, 4):
        with CogWriter(tmp_path / f"{threads}.tif", threads=threads, **_raster(1500)) as writer:
            writer.put(Window(0, 0, 256, 1500), values)
    assert (tmp_path / "1.tif").read_bytes() == (tmp_path / "4.tif").read_bytes()
