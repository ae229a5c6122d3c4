import LayerFormat
import PostgresFormat
import System

/// Reads pages back from the layers that an import has written so far.
///
/// Image layers of one shard do not overlap, and a page that is in none of them is in one of the chunks. Pages
/// that are asked for in the order of their keys are read with one index lookup each and mostly from
/// one buffer. Memory: 32 KiB, and one open file.
package struct WrittenPages: ~Copyable {
  private let layout: ShardLayout
  /// Those of each shard.
  private let images: [[FinishedLayer]]
  private let chunks: [[FinishedLayer]]
  private var layer: (path: String, file: LayerFile, blobs: BlobReader)?
  private var decoder: BlobDecoder
  private let openLayer: (FinishedLayer) throws(Failure) -> LayerFile

  /// Reads from these layers, which are complete, and which `open` opens.
  package init(
    _ layers: [FinishedLayer], _ layout: ShardLayout,
    open: @escaping (FinishedLayer) throws(Failure) -> LayerFile
  ) throws(Failure) {
    self.layout = layout
    openLayer = open
    let ordered = layers.sorted { $0.name.keys.lowerBound < $1.name.keys.lowerBound }
    images = (0..<layout.count).map { shard in
      ordered.filter { $0.shard == shard && $0.name.isImage }
    }
    chunks = (0..<layout.count).map { shard in
      layers.filter { $0.shard == shard && !$0.name.isImage }
    }
    decoder = try BlobDecoder()
  }

  /// Lends the page of a key to `body`; false if no layer has it.
  package mutating func lend(
    _ key: Key, to body: (RawSpan) throws(Failure) -> Void
  ) throws(Failure) -> Bool {
    guard case .shard(let shard) = layout.owner(of: key.meaning) else { return false }
    if let image = image(of: key, in: images[shard]) {
      guard let entry = try open(image).entry(of: key) else { return false }
      try lend(entry, to: body)
      return true
    }
    for chunk in chunks[shard] {
      guard let entry = try open(chunk).entry(of: key) else { continue }
      try lend(entry, to: body)
      return true
    }
    return false
  }

  /// The image layer whose keys the key is among.
  private func image(of key: Key, in images: [FinishedLayer]) -> FinishedLayer? {
    var low = 0
    var high = images.count
    while low < high {
      let middle = (low + high) / 2
      if images[middle].name.keys.lowerBound <= key { low = middle + 1 } else { high = middle }
    }
    guard low > 0, images[low - 1].name.keys.contains(key) else { return nil }
    return images[low - 1]
  }

  private mutating func open(_ finished: FinishedLayer) throws(Failure) -> LayerFile {
    let path = finished.file.path
    if let layer, layer.path == path { return layer.file }
    let file = try openLayer(finished)
    layer = (path, file, BlobReader(file, bufferByteCount: BlobReader.lookupBufferByteCount))
    return file
  }

  private mutating func lend(
    _ entry: LayerEntry, to body: (RawSpan) throws(Failure) -> Void
  ) throws(Failure) {
    guard var open = layer.take() else { return }  // one owner: its buffer is not copied
    open.blobs.move(to: entry.offset)
    let blob = try open.blobs.next(of: entry.key)
    let buffer = open.blobs.buffer
    let file = open.file
    layer = open
    let decoded: DecodedValue
    do throws(FormatError) {
      decoded = try decoder.decode(
        buffer.bytes.extracting(blob.range), isCompressed: blob.header.isCompressed,
        isWrapped: !file.name.isImage, limit: PageHeader.pageByteCount + 64)
    } catch {
      throw Failure(
        error, in: "layer \(file.path.quoted): key \(entry.key)", damage: .layerDamaged)
    }
    guard decoded.bytes.byteCount == PageHeader.pageByteCount else {
      throw file.failure("the value of key \(entry.key) is not a page")
    }
    try body(decoded.bytes)
  }
}
