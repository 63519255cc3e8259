"""Decodes an image file to pixels; runs in the limited child. Knows pillow, and no numpy."""

from edgeq.errors import DataRefused
from edgeq.limited.reader import Reader

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
READER = Reader("edgeq.ingest.image_file:pixels", DataRefused, "the image", "remove it or replace it")
# pillow has readers of forty more formats, and tries them all by content: old ones, rarely looked at, some of which start
# other programs.
FORMATS = ("PNG", "JPEG", "BMP", "WEBP")
MOST_PIXELS = 64_000_000  # a photo of 8,000 x 8,000; 192 MB as RGB
LIMITS_FOR = 4 * MOST_PIXELS  # bytes


def prepare() -> None:
    from PIL import BmpImagePlugin, Image, ImageOps, JpegImagePlugin, PngImagePlugin, WebPImagePlugin  # noqa: F401

    Image.MAX_IMAGE_PIXELS = None  # ours is exact


def pixels(path: str) -> tuple[dict[str, int], bytes]:
    """{"height", "width"} and RGB bytes in rows, turned upright as the file's EXIF says. Raises DataRefused."""
    from PIL import Image, ImageOps

    try:
        with Image.open(path, formats=FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                raise ValueError(f"it is {image.height}x{image.width} pixels; the limit is {MOST_PIXELS:,}")
            ImageOps.exif_transpose(image, in_place=True)
            upright = image if image.mode == "RGB" else image.convert("RGB")
            return {"height": upright.height, "width": upright.width}, upright.tobytes()
    except MemoryError:
        raise
    except (
        Exception
    ) as error:  # pillow raises SyntaxError, struct.error, KeyError ... by what is wrong in the file
        raise DataRefused(f"{path} is not a readable image: {_words(error, path)}", READER.remedy) from None


def _words(error: Exception, path: str) -> str:
    if type(error).__name__ == "UnidentifiedImageError":
        return f"it is none of {', '.join(FORMATS)}"
    return (str(error) or type(error).__name__).replace(path, "it")[:200]
