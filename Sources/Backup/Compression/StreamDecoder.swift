import PostgresFormat

/// A decompression library's streaming decoder for one format.
///
/// Decodes frames (gzip calls them members, xz streams) that follow one another, and checks every
/// length and checksum that the format has.
package protocol StreamDecoder: ~Copyable {
  /// What messages call the format.
  static var formatName: String { get }

  /// Throws when the library cannot have the memory it needs.
  init() throws(FormatError)

  /// Takes bytes from the front of `input` and appends what they decode to.
  ///
  /// Takes and appends as much as it can. `isAtEnd` says that nothing follows `input`. Throws when
  /// the bytes are damaged, or ask for more memory than is allowed.
  mutating func decode(
    _ input: RawSpan, isAtEnd: Bool, into output: inout OutputRawSpan
  ) throws(FormatError) -> DecodingStep
}

/// What one call of a decoder did.
package struct DecodingStep {
  /// The bytes taken from the front of the input.
  var bytesTaken: Int

  /// Whether the stream may end here: all frames begun are complete and checked, and all that
  /// they decode to has been given out.
  var isComplete: Bool
}

/// The size of the window, or dictionary, up to which a compressed stream is accepted: 128 MiB,
/// what `zstd --long=27` and `xz -9` stay within.
///
/// It bounds the memory that a hostile or unusual stream can make a decoder take.
let maximumWindowSizeLog: Int32 = 27

/// The refusal of a stream whose window is above the maximum.
func windowTooLarge(_ formatName: String) -> FormatError {
  .unsupported(
    "the \(formatName) stream needs more than \(1 << (maximumWindowSizeLog - 20)) MiB of memory",
    hint: "Decompress it with \(formatName), and pipe the tar to standard input.")
}
