import LayerFormat
import PostgresFormat
import System

/// Where finished nodes of an open layer's index wait in a file, as they come after all of its blobs.
///
/// Used by one layer after the other. The file has no name and is never synced, and a disk that fails
/// to take it tells nobody: what is read back must have the checksum of what was written.
package final class IndexSpill: @unchecked Sendable {
  // Invariant: belongs to the layer that is written, and that to one stage.

  private let create: () throws(Failure) -> OutputFile
  private var file: OutputFile?
  private var pieces: [(byteCount: Int, checksum: UInt32)] = []
  private var byteCount: UInt64 = 0

  /// Makes the file by `create` when it is needed, and removes its name.
  package init(_ create: @escaping () throws(Failure) -> OutputFile) { self.create = create }

  /// Adds the next nodes.
  func append(_ nodes: RawSpan) throws(Failure) {
    if file == nil {
      let new = try create()
      try new.unlink()
      file = new
    }
    try file?.write(nodes, at: byteCount)
    pieces.append((nodes.byteCount, CRC32C.checksum(of: nodes)))
    byteCount += UInt64(nodes.byteCount)
  }

  /// Writes all nodes to a file from `offset` on, and is empty then; returns where they end.
  func drain(into target: OutputFile, at offset: UInt64) throws(Failure) -> UInt64 {
    var end = offset
    var start: UInt64 = 0
    var buffer: [UInt8] = []
    for (count, checksum) in pieces {
      if buffer.count < count { buffer = [UInt8](repeating: 0, count: count) }
      try file?.read(into: &buffer, count: count, at: start)
      let nodes = buffer.bytes.extracting(0..<count)
      guard CRC32C.checksum(of: nodes) == checksum else {
        throw Failure(changedAfterWriting: file?.path ?? "")
      }
      try target.write(nodes, at: end)
      start += UInt64(count)
      end += UInt64(count)
    }
    pieces.removeAll(keepingCapacity: true)
    byteCount = 0
    return end
  }
}
