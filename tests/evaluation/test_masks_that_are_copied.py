"""Of a frame's detections, only those that the tracker identifies leave the device."""

import torch
from detectron2.structures import Boxes, Instances

from ictrack.engine.setup import load_config
from ictrack.evaluation.evaluator import VideoEvaluator


class Recorded(VideoEvaluator):
    def _select(self, frame, instances):
        return instances

    def _start(self, frame):
        self.tracked = []

    def _record(self, frame, tracked):
        self.tracked.append(tracked)

    def _finish(self, video):
        pass


def test_ten_of_a_hundred_masks(monkeypatch):
    detections = Instances((8, 9))
    detections.scores = torch.linspace(0.99, 0.5, 100)
    detections.pred_classes = torch.zeros(100, dtype=torch.int64)
    detections.pred_boxes = Boxes(torch.rand(100, 4).cumsum(1))
    detections.pred_masks = torch.rand(100, 8, 9) > 0.5
    detections.embeddings = torch.randn(100, 16)
    moved = []
    to = Instances.to
    monkeypatch.setattr(Instances, "to", lambda self, *args, **kw: moved.append(len(self)) or to(self, *args, **kw))
    evaluator = Recorded(load_config())
    evaluator.reset()
    frame = {"video_id": 1, "frame_index": 0, "video_length": 1, "height": 8, "width": 9}
    evaluator.process([frame], [{"instances": detections}])
    assert moved == [10]
    assert torch.equal(evaluator.tracked[0].pred_masks, detections.pred_masks[:10])
