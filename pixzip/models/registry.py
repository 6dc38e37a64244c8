"""Wire names of architectures, by hand: a name is for ever."""

from pixzip.models.wavefront_pixelcnn import Config, WavefrontPixelCNN

ARCHITECTURES: dict[str, type[WavefrontPixelCNN]] = {
    "wavefront-pixelcnn-1": WavefrontPixelCNN,  # no 1x1 layers
    "wavefront-pixelcnn-2": WavefrontPixelCNN,
}

__all__ = ["ARCHITECTURES", "Config", "WavefrontPixelCNN"]
