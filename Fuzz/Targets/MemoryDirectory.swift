import PostgresFormat
import System

/// A directory with one file, whose bytes are in memory.
struct MemoryDirectory: ReadableDirectory {
  /// The only file.
  struct File: ReadableFile {
    let bytes: [UInt8]
    let pieceByteCount = 1 << 16

    func read(into buffer: inout [UInt8], count: Int, at offset: UInt64) throws(Failure) -> Int {
      let piece = bytes.dropFirst(Int(min(offset, UInt64(bytes.count)))).prefix(count)
      buffer.replaceSubrange(..<piece.count, with: piece)
      return piece.count
    }
  }

  let path = "memory"
  let file: File

  init(_ bytes: [UInt8]) { file = File(bytes: bytes) }

  func names() throws(Failure) -> [String] { ["file"] }

  func names(in directory: String) throws(Failure) -> [String] { [] }

  func open(_ name: String) throws(Failure) -> (file: any ReadableFile, byteCount: UInt64) {
    (file, UInt64(file.bytes.count))
  }
}
