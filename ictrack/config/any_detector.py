"""Configuration keys of a detector of any kind with an embedding head, and of the masks of its boxes."""

from detectron2.config import CfgNode as CN


def add_any_detector_config(cfg: CN) -> None:
    masks = cfg.MODEL.BOX_MASK = CN()
    # Give the boxes of an EmbeddedDetector masks, by a class-agnostic head that is trained on labeled masks.
    masks.ENABLED = False
    # Features that the head pools in a box; those of EMBEDDED_DETECTOR.FEATURES.BACKBONE or of the detector.
    masks.IN_FEATURES = ["res2", "res3", "res4"]
    # Number of 3x3 convolutions, and their channels.
    masks.NUM_CONVS = 3
    masks.CONV_DIM = 48
    # Side of the pooled features in cells; masks have twice as many.
    masks.RESOLUTION = 28
    # Training: largest shift of each side of a box, as a share of its size.
    masks.BOX_JITTER = 0.1
    # Weight of cross-entropy and dice loss.
    masks.LOSS_WEIGHT = 1.0
    # Probability above which a pixel is in the mask.
    masks.MASK_THRESH_TEST = 0.5

    # Detector inside META_ARCHITECTURE "EmbeddedDetector": a name in Detectron2's META_ARCH registry.
    cfg.MODEL.EMBEDDED_DETECTOR = CN()
    cfg.MODEL.EMBEDDED_DETECTOR.META_ARCHITECTURE = "GeneralizedRCNN"
    # Configuration of Detectron2's model zoo, such as "COCO-Detection/retinanet_R_50_FPN_3x.yaml", that gives the
    # detector, its input and its weights; all other keys of a file and of the command line override it.
    cfg.MODEL.EMBEDDED_DETECTOR.ZOO = ""

    foreground = cfg.MODEL.FOREGROUND = CN()
    # META_ARCHITECTURE "ForegroundSegmenter": pixels "dark"er or "bright"er than the threshold, or those that differ
    # from a "background" that is learnt while the video runs.
    foreground.METHOD = "dark"
    # Gray value (0 to 255), or for "background" the squared distance in variances (OpenCV's default: 16).
    foreground.THRESHOLD = 128
    # Smallest and largest area of an instance in pixels; 0: no limit.
    foreground.MIN_AREA = 100
    foreground.MAX_AREA = 0
    # Diameter in pixels of the opening that removes thin bridges and specks; 0: none.
    foreground.OPENING = 0
    # Frames that the background remembers.
    foreground.HISTORY = 500

    onnx = cfg.MODEL.ONNX = CN()
    # ONNX file of a box detector that META_ARCHITECTURE "OnnxDetector" runs.
    onnx.FILE = ""
    # Form of its output: "yolo" (4 + C, N), "yolov5" (N, 5 + C), "boxes" (N, 6); "": by its shape.
    onnx.LAYOUT = ""
    # Height and width of its input, where the file takes any (YOLO's usual).
    onnx.SIZE = [640, 640]
    # Number by which pixels are divided, and order of the channels (YOLO's).
    onnx.DIVISOR = 255.0
    onnx.FORMAT = "RGB"
    # Score above which a detection is kept. At most TEST.DETECTIONS_PER_IMAGE are kept.
    onnx.SCORE_THRESH_TEST = 0.1
    # IoU with a better box above which a box is suppressed (NanoDet's); not with the layout "boxes".
    onnx.NMS_THRESH_TEST = 0.6
    # Boxes of all classes suppress each other, so that an object is tracked once.
    onnx.NMS_CLASS_AGNOSTIC = False

    given = cfg.MODEL.GIVEN_DETECTIONS = CN()
    # File or folder whose detections META_ARCHITECTURE "GivenDetections" looks up, see docs/own_detector.md.
    given.FILE = ""
    # Name of its format in ictrack.structures.detections; "": by its content.
    given.FORMAT = ""
    # File with the images, or videos, and categories of a results file of COCO or YouTube-VIS; "": classes and videos
    # are numbers, and image_id is the frame index.
    given.IMAGES = ""
    features = cfg.MODEL.EMBEDDED_DETECTOR.FEATURES = CN()
    # Name in Detectron2's BACKBONE registry of a backbone for the embedding head alone, such as "build_timm_backbone";
    # "" reads the detector's.
    features.BACKBONE = ""
    # Normalization by channel and channel order of its input (those of timm's tf_efficientnet_lite0).
    features.PIXEL_MEAN = [127.5, 127.5, 127.5]
    features.PIXEL_STD = [127.5, 127.5, 127.5]
    features.FORMAT = "RGB"
