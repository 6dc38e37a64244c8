"""Wire names of the PixelRNN family, by hand: a name is for ever."""

from pixzip.models.density import Density
from pixzip.models.diagonal_bilstm import DiagonalBiLSTM
from pixzip.models.gated_pixelcnn import GatedPixelCNN
from pixzip.models.multi_scale import MultiScale
from pixzip.models.pixelcnn import PixelCNN
from pixzip.models.pixelcnn_pp import PixelCNNpp
from pixzip.models.row_lstm import RowLSTM

FAMILY: dict[str, type[Density]] = {
    "pixelcnn-1": PixelCNN,
    "row-lstm-1": RowLSTM,
    "diagonal-bilstm-1": DiagonalBiLSTM,
    "multi-scale-1": MultiScale,
    "gated-pixelcnn-1": GatedPixelCNN,
    "pixelcnn-pp-1": PixelCNNpp,
}
