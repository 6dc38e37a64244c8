"""Block diagrams of the models of the PixelRNN family, as SVG: h, p and f are the configs' `hidden` and `features`."""

from collections.abc import Callable

from bench.diagram import Diagram


def _frame(d: Diagram, x: float, y: float, first: str, layer: str) -> None:
    """Draw the common frame of PixelCNN, Row LSTM and Diagonal BiLSTM."""
    d.text(x, y + 0.4, "the whole model", "center", "bold")
    boxes = d.column(
        x, y,
        [("image, R G B", "data"), (first, "masked"), (layer, "layer"), ("+", ""),
         ("ReLU, 1 x 1 mask B\n2h to f", "masked"), ("ReLU, 1 x 1 mask B\nf to the head's", "masked"),
         ("softmax, or mixture\nof logistics", "head")],
    )  # fmt: skip
    d.around(boxes[1], boxes[3], 1.05)
    d.text(x - 0.95, boxes[2].y, "L times", "right")
    d.text(x + 1.1, boxes[2].y - 0.42, "residual", "left")
    d.text(x + 1.1, boxes[6].y - 0.05, "skip connections, an option,\nadd a 1 x 1 of every layer's\noutput to the sum")


def pixelcnn() -> Diagram:
    d = Diagram(6.2, 5.1)
    _frame(d, 1.7, 4.45, "7 x 7 mask A\nto 2h", "layer")
    d.text(4.6, 4.85, "a layer", "center", "bold")
    d.column(
        4.6, 4.45,
        [("2h features", "data"), ("ReLU, 1 x 1 mask B\n2h to h", "masked"), ("ReLU, 3 x 3 mask B\nh to h", "masked"),
         ("ReLU, 1 x 1 mask B\nh to 2h", "masked"), ("2h features", "data")],
    )  # fmt: skip
    return d


def row_lstm() -> Diagram:
    d = Diagram(8.2, 5.1)
    _frame(d, 1.7, 4.45, "7 x 7 mask A\nto 2h", "layer")
    d.text(5.8, 4.85, "a layer", "center", "bold")
    own = d.column(
        4.8, 4.45,
        [("2h features of the row", "data"), ("1 x k mask B\n2h to 4h", "masked"), ("+", ""),
         ("LSTM cell", "state"), ("1 x 1 mask B\nh to 2h", "masked"), ("2h features of the row", "data")],
        w=1.8,
    )  # fmt: skip
    above = d.box(7.0, own[0].y, "h hidden states\nof the row above", "state")
    convolved = d.box(7.0, own[1].y, "1 x k unmasked\nh to 4h", "layer")
    cell = d.box(7.0, own[3].y, "h cell states\nof the row above", "state")
    d.arrow(above.bottom, convolved.top)
    d.arrow(convolved.bottom, (7.0, own[2].y), own[2].right)
    d.arrow(cell.left, own[3].right)
    return d


def diagonal_bilstm() -> Diagram:
    d = Diagram(9.0, 5.1)
    _frame(d, 1.7, 4.45, "7 x 7 mask A\nto 2h", "layer")
    d.text(6.2, 4.85, "a layer", "center", "bold")
    x = 6.2
    top = d.box(x, 4.45, "2h features", "data")
    gates = d.box(x, 3.79, "1 x 1 mask B\n2h to 4h and 4h", "masked")
    left = d.box(x - 1.15, 2.9, "LSTM from the left:\nsees states at left and\nabove, h each", "state", 1.9, 0.55)
    right = d.box(x + 1.15, 2.9, "LSTM from the right:\nsees states at right and\nabove, h each", "state", 1.9, 0.55)
    moved = d.box(x + 1.15, 2.15, "moved down a row", "layer", 1.9)
    total = d.plus(x, 1.6)
    up = d.box(x, 1.05, "1 x 1 mask B\nh to 2h", "masked")
    out = d.box(x, 0.45, "2h features", "data")
    d.arrow(top.bottom, gates.top)
    for side in (left, right):
        d.arrow(gates.bottom, (x, 3.4), (side.x, 3.4), side.top)
    d.arrow(right.bottom, moved.top)
    d.arrow(left.bottom, (left.x, total.y), total.left)
    d.arrow(moved.bottom, (moved.x, total.y), total.right)
    d.arrow(total.bottom, up.top)
    d.arrow(up.bottom, out.top)
    return d


def gated_pixelcnn() -> Diagram:
    d = Diagram(8.4, 5.9)
    v, h = 1.7, 5.6
    d.text(v, 5.65, "vertical stack: rows above", "center", "bold")
    d.text(h, 5.65, "horizontal stack: the row so far", "center", "bold")
    vertical = d.column(
        v, 5.25,
        [("p features, or the image", "data"), ("of rows above, k wide,\nunmasked, to 2p", "layer"),
         ("tanh(a) sigmoid(b)\n2p to p", "state"), ("p features", "data")],
        w=1.8,
    )  # fmt: skip
    own = d.column(
        h, 5.25,
        [("p features, or the image", "data"), ("of pixels at left, mask A,\nlater B, to 2p", "masked"), ("+", ""),
         ("tanh(a) sigmoid(b)\n2p to p", "state"), ("1 x 1 mask B\np to p", "masked"), ("+", ""),
         ("p features", "data")],
        w=1.8,
    )  # fmt: skip
    down = d.box(3.65, own[2].y, "1 x 1\n2p to 2p", "layer", 1.1)
    d.arrow((v, vertical[1].bottom[1] - 0.1), (2.9, vertical[1].bottom[1] - 0.1), (2.9, down.y), down.left)
    d.arrow(down.right, own[2].left)
    d.around(own[0], own[5], 1.2)
    d.text(h + 1.25, own[3].y - 0.3, "residual, from the\nsecond layer on")
    last = d.box(h, own[6].y - 0.75, "ReLU, 1 x 1 mask B to f, ReLU, 1 x 1 mask B, head", "head", 3.6)
    d.arrow(own[6].bottom, last.top)
    d.text(
        v,
        own[4].y - 0.1,
        "both stacks: L such layers, the\nfirst with larger kernels;\nthe last one's vertical\nfeatures go nowhere",
        "center",
    )
    return d


def multi_scale() -> Diagram:
    d = Diagram(8.4, 4.4)
    image = d.box(1.4, 3.9, "image", "data")
    small = d.box(1.4, 3.1, "every s-th pixel, both ways", "data", 2.1)
    first = d.box(1.4, 2.2, "PixelRNN, unconditional", "layer", 2.1)
    done = d.box(1.4, 1.3, "distribution of\nthe small image", "head", 2.1)
    d.arrow(image.bottom, small.top)
    d.arrow(small.bottom, first.top)
    d.arrow(first.bottom, done.top)
    up = d.column(
        4.2, 3.1,
        [("3 x 3 unmasked, ReLU", "layer"), ("deconvolution, stride s,\nReLU", "layer"),
         ("3 x 3 unmasked, ReLU", "layer"), ("map of c features", "data")],
        w=2.0,
    )  # fmt: skip
    d.arrow(small.right, up[0].left)
    large = d.box(7.0, 2.2, "PixelRNN whose layers\nread 1 x 1 of the map, too", "layer", 2.1)
    d.arrow(up[3].right, (5.55, up[3].y), (5.55, large.y), large.left)
    d.arrow(image.right, (7.0, 3.9), large.top)
    last = d.box(7.0, 1.3, "distribution of\nthe other pixels", "head", 2.1)
    d.arrow(large.bottom, last.top)
    d.text(4.2, 0.5, "either PixelRNN: Row LSTM, Diagonal BiLSTM or PixelCNN as above", "center")
    return d


def pixelcnn_pp() -> Diagram:
    d = Diagram(10.4, 5.6)
    d.text(2.75, 5.35, "one stream, of two", "center", "bold")
    downs, ups = [], []
    for i, (scale, up) in enumerate((("1", "B + 1"), ("1/2", "B + 1"), ("1/4", "B"))):
        y = 3.9 - 1.15 * i
        downs.append(d.box(1.3, y, "B blocks", "state", 1.2))
        ups.append(d.box(4.2, y, f"{up} blocks", "state", 1.2))
        d.text(0.45, y, scale, "center")
        d.arrow(downs[i].right, ups[i].left, dashed=True)
        d.text(2.75, y + 0.13, "short-cuts", "center")
    first = d.box(1.3, 4.75, "shifted convolution", "layer", 1.6)
    last = d.box(4.2, 4.75, "of ul: ELU, 1 x 1,\nhead of whole pixels", "head", 1.6)
    d.arrow(first.bottom, downs[0].top)
    d.arrow(ups[0].top, last.bottom)
    for i in range(2):
        d.arrow(downs[i].bottom, downs[i + 1].top)
        d.arrow(ups[i + 1].top, ups[i].bottom)
        y = downs[i].y - 0.58
        d.text(1.4, y, "stride 2", "left")
        d.text(4.3, y, "transposed, stride 2", "left")
    bottom = downs[2].y - 0.45
    d.arrow(downs[2].bottom, (1.3, bottom), (4.2, bottom), ups[2].bottom)
    d.text(
        2.75,
        0.75,
        "u sees the rows above; ul these and the row so far.\nEvery block of u tells the block of ul in its place.",
        "center",
    )
    d.text(7.6, 5.35, "a block", "center", "bold")
    x = 7.6
    own = d.column(
        x, 4.9,
        [("h features", "data"), ("concatenated ELU, convolution\n2h to h", "layer"), ("+", ""),
         ("concatenated ELU, dropout", "layer"), ("convolution\n2h to 2h", "layer"), ("a sigmoid(b)\n2h to h", "state"),
         ("+", ""), ("h features", "data")],
        w=2.1,
    )  # fmt: skip
    d.around(own[0], own[6], -1.35)
    told = d.box(x + 1.9, own[2].y + 0.28, "1 x 1 of u's block", "layer", 1.3, 0.3)
    short = d.box(x + 1.9, own[2].y - 0.28, "1 x 1 of a short-cut", "layer", 1.3, 0.3)
    d.arrow(told.left, (x + 0.55, told.y), (x + 0.55, own[2].y), own[2].right)
    d.arrow(short.left, (x + 0.55, short.y), (x + 0.55, own[2].y), own[2].right)
    return d


DIAGRAMS: dict[str, Callable[[], Diagram]] = {
    "pixelcnn": pixelcnn,
    "row-lstm": row_lstm,
    "diagonal-bilstm": diagonal_bilstm,
    "gated-pixelcnn": gated_pixelcnn,
    "multi-scale": multi_scale,
    "pixelcnn-pp": pixelcnn_pp,
}
