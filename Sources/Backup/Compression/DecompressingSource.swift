import PostgresFormat
import System

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
          .damaged,
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
      throw Failure(error, in: "cannot read \(subject) near byte \(input.byteOffset)")
    }
  }
}

extension FormatError {
  /// A damaged stream of the format, with the library's word for it if it has one.
  static func damagedStream(_ formatName: String, _ reason: String) -> FormatError {
    .damaged("the \(formatName) stream is damaged (\(reason))")
  }

  /// What a decoder throws whose library has no memory left.
  package static func outOfMemory(_ formatName: String) -> FormatError {
    .unsupported("out of memory for the \(formatName) stream")
  }
}
