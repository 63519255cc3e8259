package android.graphics;

/** Pixels whose red is their column, whose green is their row and whose blue is 200; scaled, it is another of that kind. */
public final class Bitmap {
  private final int width;
  private final int height;
  private final int left;
  private final int top;

  public Bitmap(int width, int height) {
    this(width, height, 0, 0);
  }

  private Bitmap(int width, int height, int left, int top) {
    this.width = width;
    this.height = height;
    this.left = left;
    this.top = top;
  }

  public int getWidth() {
    return width;
  }

  public int getHeight() {
    return height;
  }

  public void getPixels(int[] pixels, int offset, int stride, int x, int y, int width, int height) {
    for (int row = 0; row < height; row++) {
      for (int column = 0; column < width; column++) {
        int red = left + x + column;
        int green = top + y + row;
        pixels[offset + row * stride + column] = 0xff000000 | red << 16 | green << 8 | 200;
      }
    }
  }

  public static Bitmap createScaledBitmap(Bitmap source, int width, int height, boolean filter) {
    return new Bitmap(width, height);
  }

  public static Bitmap createBitmap(Bitmap source, int x, int y, int width, int height) {
    return new Bitmap(width, height, source.left + x, source.top + y);
  }
}
