package org.tensorflow.lite;

import java.nio.ByteBuffer;
import java.util.Map;

/** What the Kotlin example uses of LiteRT's Interpreter; it gives each input back as an output. */
public final class Interpreter implements AutoCloseable {
  public static class Options {
    public Options setNumThreads(int threads) {
      return this;
    }
  }

  public Interpreter(ByteBuffer model, Options options) {}

  public int getInputIndex(String name) {
    return 0;
  }

  public int getOutputIndex(String name) {
    return 0;
  }

  public void runForMultipleInputsOutputs(Object[] inputs, Map<Integer, Object> outputs) {
    ((ByteBuffer) outputs.get(0)).put((ByteBuffer) inputs[0]);
  }

  public void close() {}
}
