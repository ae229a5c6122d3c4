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
  private let openLayer: (FinishedLayer) throws(Failure) -> LayerFile
  private var reader: LayerPageReader

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
    reader = try LayerPageReader()
  }

  /// Lends the page of a key to `body`; false if no layer has it.
  package mutating func lend(
    _ key: Key, to body: (RawSpan) throws(Failure) -> Void
  ) throws(Failure) -> Bool {
    guard case .shard(let shard) = layout.owner(of: key.meaning) else { return false }
    if let image = image(of: key, in: images[shard]) { return try lend(key, in: image, to: body) }
    for chunk in chunks[shard] {
      if try lend(key, in: chunk, to: body) { return true }
    }
    return false
  }

  private mutating func lend(
    _ key: Key, in layer: FinishedLayer, to body: (RawSpan) throws(Failure) -> Void
  ) throws(Failure) -> Bool {
    let openLayer = openLayer
    return try reader.lend(
      key, in: layer.file.path, open: { () throws(Failure) in try openLayer(layer) }, to: body)
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
}
