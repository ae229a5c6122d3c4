import PostgresFormat
import System

/// The plain bytes of `source`, by whatever known stream it is compressed with.
///
/// Decompresses once: a compressed stream within a compressed stream is given as it is. Throws
/// `.damaged` when there is nothing, with `hintIfEmpty`, or what is known to be no tar; `subject`
/// names the input.
package func decompressed(
  _ source: any ByteSource, subject: String, hintIfEmpty: String? = nil, progress: InputProgress
) throws(Failure) -> any ByteSource {
  let window = InputWindow(source, progress: progress)
  try window.refillIfEmpty()
  if window.isAtEnd {
    throw Failure(.damaged, "cannot read \(subject): it is empty", hint: hintIfEmpty)
  }
  let format = window.take { bytes in (CompressionFormat(bytes: bytes), bytesTaken: 0) }
  guard let format else { return window }
  progress.setCompressed()
  do throws(FormatError) {
    return switch format {
    case .gzip: DecompressingSource(GzipDecoder(), input: window, subject: subject)
    case .xz: DecompressingSource(try XzDecoder(), input: window, subject: subject)
    case .zstd: DecompressingSource(try ZstdDecoder(), input: window, subject: subject)
    case .lz4: DecompressingSource(try Lz4Decoder(), input: window, subject: subject)
    case .dump:
      throw FormatError.damaged(
        "not a tar, but a dump by pg_dump", hint: dumpHint)
    case .foreign(let name, let program):
      throw FormatError.damaged(
        "not a tar, but \(name)",
        hint: program.map { "Decompress it first: '\($0) BACKUP | import-backup - ...'." }
          ?? "Extract it, and make a tar of the data directory.")
    }
  } catch {
    throw Failure(error, in: "cannot read \(subject)")
  }
}
