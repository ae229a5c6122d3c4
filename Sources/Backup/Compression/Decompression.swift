import PostgresFormat
import System

/// The plain bytes of `source`, by whatever known stream it is compressed with.
///
/// Decompresses once: a compressed stream within a compressed stream is given as it is. Throws
/// `.damaged` when there is nothing, with `hintIfEmpty`, or what is known to be no tar, if need be by
/// its `path`; `subject` names the input. Its bytes are counted in `progress`; a source that
/// `isCounted` does that itself.
package func decompressed(
  _ source: any ByteSource, subject: String, path: String? = nil, hintIfEmpty: String? = nil,
  progress: InputProgress, isCounted: Bool = false
) throws(Failure) -> any ByteSource {
  let window = InputWindow(source, progress: isCounted ? nil : progress)
  try window.refillIfEmpty()
  if window.isAtEnd {
    throw Failure(.backupEmpty, "cannot read \(subject): it is empty", hint: hintIfEmpty)
  }
  let (format, foreign) = window.take { bytes in
    ((CompressionFormat(bytes: bytes), ForeignFile.recognise(bytes, path: path)), bytesTaken: 0)
  }
  guard let format else {
    if let foreign { throw foreign.failure(reading: subject) }
    return window
  }
  progress.setCompressed()
  do throws(FormatError) {
    return switch format {
    case .gzip: DecompressingSource(GzipDecoder(), input: window, subject: subject)
    case .xz: DecompressingSource(try XzDecoder(), input: window, subject: subject)
    case .zstd: DecompressingSource(try ZstdDecoder(), input: window, subject: subject)
    case .lz4: DecompressingSource(try Lz4Decoder(), input: window, subject: subject)
    }
  } catch {
    throw Failure(error, in: "cannot read \(subject)", damage: .compressedStreamDamaged)
  }
}

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
  FormatError(
    .compressionWindow,
    "the \(formatName) stream needs more than \(1 << (maximumWindowSizeLog - 20)) MiB of memory",
    hint: "Decompress it with \(formatName), and pipe the tar to standard input.")
}

/// The decompressed bytes of a compressed stream.
///
/// Refuses a stream that is damaged or cut off anywhere, and garbage after it.
package final class DecompressingSource<Decoder: StreamDecoder & ~Copyable>: ByteSource {
  private let input: InputWindow
  private let subject: String
  private var decoder: Decoder
  private var isComplete = false

  /// A stage over `input`, which is at the beginning of the first frame; `subject` names the
  /// input in messages.
  package init(_ decoder: consuming Decoder, input: InputWindow, subject: String) {
    self.decoder = decoder
    self.input = input
    self.subject = subject
  }

  /// Appends decompressed bytes until `output` is full or the stream has ended.
  ///
  /// Throws `.damaged` if the stream is damaged or cut off, or if other bytes follow it, and what
  /// the input throws.
  package func fill(_ output: inout OutputRawSpan) throws(Failure) {
    while !output.isFull {
      try input.refillIfEmpty()
      if input.isAtEnd && isComplete { return }
      let byteCountBefore = output.byteCount
      let step = try decode(into: &output)
      isComplete = step.isComplete
      let isStuck = step.bytesTaken == 0 && output.byteCount == byteCountBefore && !isComplete
      if isStuck {
        throw Failure(
          .backupTruncated,
          "cannot read \(subject): the \(Decoder.formatName) stream is cut off after "
            + "\(input.byteOffset) bytes",
          hint: "The backup was not written or copied completely.")
      }
    }
  }

  private func decode(into output: inout OutputRawSpan) throws(Failure) -> DecodingStep {
    do throws(FormatError) {
      return try input.take { (bytes) throws(FormatError) in
        let step = try decoder.decode(bytes, isAtEnd: input.isAtEnd, into: &output)
        return (step, bytesTaken: step.bytesTaken)
      }
    } catch {
      throw Failure(
        error, in: "cannot read \(subject) near byte \(input.byteOffset)",
        damage: .compressedStreamDamaged)
    }
  }
}

extension FormatError {
  /// A damaged stream of the format, with the library's word for it if it has one.
  static func damagedStream(_ formatName: String, _ reason: String) -> FormatError {
    .damaged("the \(formatName) stream is damaged (\(reason))")
  }

  /// What a decoder throws if something follows a frame that is neither another one nor padding.
  static func garbage(after formatName: String) -> FormatError {
    .damagedStream(formatName, "garbage after its end")
  }

  /// What a decoder throws whose library has no memory left.
  package static func outOfMemory(_ formatName: String) -> FormatError {
    FormatError(.decompressionMemory, "out of memory for the \(formatName) stream")
  }
}
