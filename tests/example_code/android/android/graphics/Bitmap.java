package android.graphics;

/** Pixels of a fixed pattern; those of a hardware bitmap cannot be read, as on a phone. */
public final class Bitmap {
  public enum Config {
    ARGB_8888,
    HARDWARE
  }

  private final int width;
  private final int height;
  private final Config config;

  public Bitmap(int width, int height, Config config) {
    this.width = width;
    this.height = height;
    this.config = config;
  }

  public int getWidth() {
    return width;
  }

  public int getHeight() {
    return height;
  }

  public Config getConfig() {
    return config;
  }

  public Bitmap copy(Config config, boolean isMutable) {
    return new Bitmap(width, height, config);
  }

  public void getPixels(int[] pixels, int offset, int stride, int x, int y, int width, int height) {
    if (config == Config.HARDWARE) {
      throw new IllegalStateException("unable to getPixels(), pixel access is not supported on Config#HARDWARE bitmaps");
    }
    for (int row = 0; row < height; row++) {
      for (int column = 0; column < width; column++) {
        int red = (37 * (x + column) + 11 * (y + row)) & 0xff;
        int green = (x + column) * (y + row) & 0xff;
        int blue = 255 * ((x + column + y + row) & 1);
        pixels[offset + row * stride + column] = 0xff000000 | red << 16 | green << 8 | blue;
      }
    }
  }
}
