"""PyTorch: a data set over a stack, or over the `.pxz` files in a folder."""

try:
    from pixzip.adapters.torch_dataset import Images
except ImportError as e:
    raise ImportError(f"pixzip.torch needs PyTorch: pip install torch ({e})") from e

__all__ = ["Images"]
