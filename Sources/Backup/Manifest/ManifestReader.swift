import PostgresFormat
import System

/// Reads a manifest in pieces, and checks its own checksum: the SHA-256 of all bytes before its
/// last line.
///
/// (Postgres, `src/common/parse_manifest.c`, `verify_manifest_checksum`)
package struct ManifestReader {
  private(set) var parser = BackupManifestParser()
  private var sum = SHA2(.sha256)
  /// The sum up to the end of the line before the current one, and to that of the current one.
  private var sumBeforeLastLine: SHA2?
  private var sumOfLines: SHA2?
  private var endsInLine = true

  /// A reader at the start of a manifest.
  package init() {}

  /// Takes the next bytes and gives each file that they complete to `file`.
  package mutating func update(
    _ bytes: RawSpan, file: (BackupManifest.File) throws(FormatError) -> Void
  ) throws(FormatError) {
    try parser.parse(bytes, file: file)
    var start = 0
    for offset in 0..<bytes.byteCount
    where bytes.littleEndian(at: offset, as: UInt8.self) == UInt8(ascii: "\n") {
      sum.update(bytes.extracting(start..<offset + 1))
      start = offset + 1
      sumBeforeLastLine = sumOfLines
      sumOfLines = sum
    }
    sum.update(bytes.extracting(start..<bytes.byteCount))
    if bytes.byteCount > 0 { endsInLine = start < bytes.byteCount }
  }

  /// Checks that the manifest is complete, and that it is as it was written.
  package func finish() throws(FormatError) {
    try parser.finish()
    guard let sumBeforeLastLine, !endsInLine else {
      throw .damaged("its last line is incomplete")
    }
    guard parser.checksum == sumBeforeLastLine.value else {
      throw .damaged("its own checksum does not match its contents")
    }
  }
}

extension BackupManifest {
  /// The path of the manifest in a directory; nil if there is none.
  package static func path(in directory: String) throws(Failure) -> String? {
    let path = directory + "/" + fileName
    return try SystemCalls.status(at: path) == nil ? nil : path
  }
}
