import PostgresFormat
import Testing

@testable import Backup
@testable import Pipeline
@testable import System
@testable import Timeline

struct PageRunsTests {
  /// A source of pages that are in use and bear an LSN, without end.
  private final class Pages: ByteSource {
    func fill(_ output: inout OutputRawSpan) throws(Failure) {
      while !output.isFull { unsafe output.append(1, as: UInt8.self) }
    }
  }

  /// Goal: who has worked on a batch has let the input's buffers go, for the reader may wait for them.
  /// Method: the last reference to a buffer is a batch's, which is compressed or only examined.
  @Test(arguments: [true, false]) func lendersAreLetGo(isCompressed: Bool) throws {
    let pool = BufferPool(bufferCount: 1, bufferSize: 3 * PageRuns.pageByteCount)
    var lent = try pool.fill(from: Pages())
    weak let kept = lent
    let segment = RelationSegment(
      databaseID: 5, relationNumber: 16384, fork: .main, segmentNumber: 0)
    var pages = PageRuns(checksPages: false)
    pages.beginRun(of: .relation(segment, isInImageLayer: true), at: 0)
    pages.append(0..<3 * PageRuns.pageByteCount, of: try #require(lent))
    pages.endFile()
    lent = nil
    #expect(kept != nil)
    if isCompressed {
      var encoder = try BlobEncoder(level: 1)
      try pages.makeBlobs(with: &encoder)
    } else {
      var count = 0
      try pages.examinePages { _, block, bytes throws(Failure) in
        #expect(block == UInt32(count) && bytes.byteCount == PageRuns.pageByteCount)
        count += 1
      }
      #expect(count == 3)
    }
    #expect(kept == nil)
  }
}
