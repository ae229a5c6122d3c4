import Backup
import PostgresFormat

extension FuzzTarget {
  /// Reads a manifest as a whole and again byte by byte; the results must be the same.
  func runManifest(_ bytes: RawSpan) throws(FormatError) {
    let whole = Self.read(bytes, pieceByteCount: max(bytes.byteCount, 1))
    let pieces = Self.read(bytes, pieceByteCount: 1)
    precondition(whole.files == pieces.files, "pieces do not change the result")
    precondition(whole.refusal?.message == pieces.refusal?.message)
    if let refusal = whole.refusal { throw refusal }
  }

  /// The files as text, up to the first error.
  private static func read(
    _ bytes: RawSpan, pieceByteCount: Int
  ) -> (files: [String], refusal: FormatError?) {
    var reader = ManifestReader()
    var files: [String] = []
    do throws(FormatError) {
      for start in stride(from: 0, to: bytes.byteCount, by: pieceByteCount) {
        let piece = bytes.extracting(start..<min(start + pieceByteCount, bytes.byteCount))
        try reader.update(piece) { file throws(FormatError) in files.append("\(file)") }
      }
      try reader.finish()
      return (files, nil)
    } catch {
      return (files, error)
    }
  }
}
