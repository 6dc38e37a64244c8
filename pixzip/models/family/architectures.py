"""Wire names of the PixelRNN family, written by hand, because a name is permanent."""

from pixzip.models.family.density import Density
from pixzip.models.family.diagonal_bilstm import DiagonalBiLSTM
from pixzip.models.family.gated_pixelcnn import GatedPixelCNN
from pixzip.models.family.multi_scale import MultiScale
from pixzip.models.family.pixelcnn import PixelCNN
from pixzip.models.family.pixelcnn_pp import PixelCNNpp
from pixzip.models.family.row_lstm import RowLSTM

FAMILY: dict[str, type[Density]] = {
    "pixelcnn-1": PixelCNN,
    "row-lstm-1": RowLSTM,
    "diagonal-bilstm-1": DiagonalBiLSTM,
    "multi-scale-1": MultiScale,
    "gated-pixelcnn-1": GatedPixelCNN,
    "pixelcnn-pp-1": PixelCNNpp,
}
