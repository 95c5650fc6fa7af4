"""What a cell shows besides what it prints: its last value, images, figures."""

import io
import sys
import warnings


def prepare(send_image):
    """Makes the packages that are there show things as a conversation needs them."""
    warnings.filterwarnings("ignore", "FigureCanvasAgg is non-interactive")
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].show = lambda *_, **__: send_figures(send_image)


def show(value, send_image):
    if type(value).__module__.startswith("PIL.") and hasattr(value, "_repr_png_"):
        send_image(value._repr_png_())
    else:
        print(repr(value))


def send_figures(send_image):
    """All open figures, in the order of their making; closes them, though one of them cannot be drawn."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is None:
        return
    try:
        for number in pyplot.get_fignums():
            png = io.BytesIO()
            pyplot.figure(number).savefig(png, format="png", bbox_inches="tight")
            send_image(png.getvalue())
    finally:
        pyplot.close("all")


def forget_figures():
    try:
        sys.modules["matplotlib.pyplot"].close("all")
    except BaseException:
        pass
