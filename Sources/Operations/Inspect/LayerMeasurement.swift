import Backup
import LayerFormat
import PostgresFormat
import System
import Timeline

/// Counts and measures a layer's values, reading no more than that takes.
///
/// Of an image layer the index is read, and the values that are no pages: a page has 8192 bytes by
/// the format. What a delta layer holds, images or records, only its values tell, so that it is
/// read as a whole.
enum LayerMeasurement {
  /// Measures a layer, and adds what it holds of each relation to `relations`; of a damaged one, as
  /// far as it could be read.
  static func contents(
    of layer: LayerFile, addingTo relations: inout RelationTally
  ) throws(Failure) -> LayerDescription.Contents {
    layer.name.isImage
      ? try imageContents(of: layer, &relations) : try deltaContents(of: layer, &relations)
  }

  private static func imageContents(
    of layer: LayerFile, _ relations: inout RelationTally
  ) throws(Failure) -> LayerDescription.Contents {
    var contents = LayerDescription.Contents()
    var cursor = try LayerIndexCursor(layer)
    var decoder = try StoredValueDecoder(layer)
    var last: LayerEntry?
    var run = StoredRun()
    while let entry = try cursor.next() {
      try Interruption.check()
      // Otherwise many entries could share one long value, to be decompressed for each.
      guard entry.offset > last?.offset ?? 0 else {
        throw layer.failure(
          "the value of key \(entry.key) starts before the end of the previous one")
      }
      contents.valueCount += 1
      if entry.key.meaning?.isPage == true {
        contents.plainByteCount += UInt64(PageHeader.pageByteCount)
      } else {
        contents.plainByteCount += UInt64(try decoder.value(of: entry).bytes.count)
      }
      if let last { run.add(last.key, byteCount: entry.offset - last.offset, to: &relations) }
      last = entry
    }
    if let last {
      // From the first value's header to the last value's end: values are back to back.
      let byteCount = try decoder.value(of: last).storedByteCount
      contents.storedByteCount = last.offset + byteCount - UInt64(LayerSummary.byteCount)
      run.add(last.key, byteCount: byteCount, to: &relations)
    }
    run.end(&relations)
    return contents
  }

  private static func deltaContents(
    of layer: LayerFile, _ relations: inout RelationTally
  ) throws(Failure) -> LayerDescription.Contents {
    var contents = LayerDescription.Contents()
    var reader = try LayerValueReader(layer)
    var run = StoredRun()
    while try reader.next({ stored, value in
      contents.valueCount += 1
      contents.recordCount += value.content == .record ? 1 : 0
      contents.plainByteCount += UInt64(value.bytes.byteCount)
      contents.storedByteCount += UInt64(stored.blob.byteCount)
      run.add(stored.entry.key, byteCount: UInt64(stored.blob.byteCount), to: &relations)
    }) {
      try Interruption.check()
    }
    run.end(&relations)
    return contents
  }
}

/// The values of one relation that follow each other in a layer: they are looked up in the tally
/// once, not one by one.
private struct StoredRun {
  private var relation: RelationID?
  private var byteCount: UInt64 = 0

  /// Adds the value of a key.
  mutating func add(_ key: Key, byteCount: UInt64, to relations: inout RelationTally) {
    let next = RelationID(key)
    if next != relation {
      end(&relations)
      relation = next
    }
    self.byteCount += byteCount
  }

  /// Adds the last values to the tally.
  mutating func end(_ relations: inout RelationTally) {
    if let relation { relations.addStored(relation, byteCount: byteCount) }
    relation = nil
    byteCount = 0
  }
}
