import LayerFormat
import PostgresFormat
import System

/// A layer file that is open for reading: its summary has been checked, its index is read node by
/// node.
package final class LayerFile: Sendable {
  /// The path or the URL that the file was opened at.
  package let path: String
  /// The decoded first page, which has been checked.
  package let summary: LayerSummary
  /// The length of the file in bytes.
  package let byteCount: UInt64

  private let file: any ReadableFile

  /// The keys and LSNs that the layer covers, as the summary says.
  package var name: LayerName { summary.name }

  /// Where the blobs and their padding end, and the index begins.
  package var indexOffset: UInt64 { UInt64(summary.indexStart) * UInt64(IndexTree.nodeByteCount) }

  /// How many nodes the index has.
  var indexBlockCount: UInt32 {
    UInt32(truncatingIfNeeded: byteCount / UInt64(IndexTree.nodeByteCount)) - summary.indexStart
  }

  /// The length of the keys of the index in bytes.
  package var keyByteCount: Int {
    IndexTree.keyByteCount(ofImageLayer: name.isImage)
  }

  /// Opens a layer and checks that its size and summary fit its name and each other.
  ///
  /// Throws `.damaged` if they do not or the file does not exist, `.cannotOpen` if it cannot be
  /// opened for another reason.
  package init(
    _ fileName: String, in directory: any ReadableDirectory, name: LayerName
  ) throws(Failure) {
    (file, byteCount) = try directory.open(fileName)
    path = directory.path + "/" + fileName
    var page = [UInt8](repeating: 0, count: LayerSummary.byteCount)
    let count = try file.read(into: &page, count: page.count, at: 0)
    do throws(FormatError) {
      summary = try LayerSummary(decoding: page.bytes.extracting(0..<count))
      try Self.check(summary, name: name, byteCount: byteCount)
    } catch {
      throw Failure(error, in: "layer \(path.quoted)", damage: .layerDamaged)
    }
  }

  /// Opens a layer on disk.
  package convenience init(path: String, name: LayerName) throws(Failure) {
    try self.init(
      SystemCalls.name(of: path), in: DiskDirectory(path: SystemCalls.parent(of: path)), name: name)
  }

  /// Checks that a summary fits a layer's name and its file's length.
  static func check(
    _ summary: LayerSummary, name: LayerName, byteCount: UInt64
  ) throws(FormatError) {
    guard summary.name == name else {
      throw .damaged("the summary is for layer '\(summary.name)'")
    }
    let page = UInt64(IndexTree.nodeByteCount)
    let pages = byteCount / page
    guard byteCount.isMultiple(of: page), pages <= UInt64(UInt32.max) else {
      throw .damaged("its length of \(byteCount) bytes is not a multiple of \(page)")
    }
    guard summary.indexStart >= 1, UInt64(summary.indexStart) < pages,
      UInt64(summary.indexRoot) == pages - UInt64(summary.indexStart) - 1
    else {
      throw .damaged(
        "its index at page \(summary.indexStart) with root \(summary.indexRoot) does not match its "
          + "length of \(pages) pages")
    }
  }

  /// Reads and checks one node of the index; `block` is counted from the start of the index.
  package func node(_ block: UInt32) throws(Failure) -> IndexNode {
    var page = [UInt8](repeating: 0, count: IndexTree.nodeByteCount)
    let count = try read(
      into: &page, count: page.count,
      at: indexOffset + UInt64(block) * UInt64(IndexTree.nodeByteCount))
    do throws(FormatError) {
      return try IndexNode(
        decoding: page.bytes.extracting(0..<count), keyByteCount: keyByteCount)
    } catch {
      throw failure("index block \(block): \(error.message)")
    }
  }

  /// Fills `bytes` up to `count` from an offset; returns how many bytes the file has there.
  package func read(
    into bytes: inout [UInt8], count: Int, at offset: UInt64
  ) throws(Failure) -> Int {
    try file.read(into: &bytes, count: count, at: offset)
  }

  /// What is wrong with this layer.
  package func failure(_ message: String) -> Failure {
    Failure(.layerDamaged, "layer \(path.quoted): \(message)")
  }
}
