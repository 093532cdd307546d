"""Is it cheaper to see HWC images as channels_last than to convert them to CHW?"""

import torch
import torch.nn.functional as F

from bench import Subject, benchmark, close, large, lower


def converted(images, nchw_weight, nhwc_weight):
    """What tutorials do: copy to CHW, then to float."""
    x = images.permute(0, 3, 1, 2).contiguous().to(nchw_weight.dtype).div_(255)
    return F.conv2d(x, nchw_weight, stride=2, padding=3)


def viewed(images, nchw_weight, nhwc_weight):
    """``permute`` alone: an HWC image seen as CHW *is* a channels_last tensor, and stays one as float."""
    x = images.permute(0, 3, 1, 2).to(nhwc_weight.dtype).div_(255)
    return F.conv2d(x, nhwc_weight, stride=2, padding=3)


@benchmark(
    variants={"converted": converted, "viewed": viewed},
    cpu={"n": [1], "h": [512], "w": [512], "dtype": ["float32"]},
    cuda=[
        {"n": 1, "h": 224, "w": 224, "dtype": "float16"},  # launch-bound on purpose
        {"n": 8, "h": 1080, "w": 1920, "dtype": "float16"},
        large({"n": 8, "h": 1080, "w": 1920, "dtype": "float32"}),
    ],
    bytes_needed=lambda call, n, h, w, dtype: 100 * n * h * w * (3 + 64 // 4),
    phases=("inference",),
    claims=[
        lower("time", of="viewed", note="M7"),
        lower("memory/peak", of="viewed", note="M7"),
        close("output", note="M7"),
    ],
)
def channels_last_images(call, n, h, w, dtype):
    """The view saves a strided copy; the first layer of ResNet-50 is timed with it, as it pays for the layout."""
    images = torch.randint(0, 256, (n, h, w, 3), dtype=torch.uint8)
    weight = torch.randn(64, 3, 7, 7, dtype=getattr(torch, dtype)) / 147**0.5
    return Subject(call, images, weight, weight.to(memory_format=torch.channels_last))
