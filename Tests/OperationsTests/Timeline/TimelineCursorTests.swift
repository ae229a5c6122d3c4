import LayerFormat
import PostgresFormat
import TestSupport
import Testing

@testable import Timeline

/// All layers at once, key by key, as a pageserver would find them.
@Suite struct TimelineCursorTests {
  /// Goal: the walk gives every value of every layer once, in key order. Method: import a backup
  /// into many small layers of each kind, and compare with the layers read one after another.
  @Test func wholeTimeline() async throws {
    let directory = try TemporaryDirectory()
    let summary = try await SmallBackup.importBytes(SmallBackup.tar.encoded(), in: directory) {
      $0.smallRelationSize = 24 << 10
      $0.imageLayerSize = 24 << 10
      $0.chunkSize = 8 << 10
    }
    #expect(summary.imageLayerCount > 5 && summary.l0LayerCount > 5)
    var values = try TimelineValues(try Timeline(path: summary.timelinePath))
    var lines: [String] = []
    var keys: [Key] = []
    var isDone = false
    while !isDone {
      isDone = try !values.next { key, value in
        keys.append(key)
        lines.append("\(key) \(value.byteCount) \(CRC32C.checksum(of: value).hexadecimal(8))")
      }
    }
    #expect(keys == keys.sorted())
    #expect(try lines == TimelineListing.lines(of: summary.timelinePath))
  }
}
