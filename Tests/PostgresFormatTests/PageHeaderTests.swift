import Testing

@testable import PostgresFormat

struct PageHeaderTests {
  /// Goal: the halves of the LSN are in the right order, and pages in use are recognised. Method:
  /// pages made by hand, also in the middle of a batch.
  @Test func fields() {
    var pages = [UInt8](repeating: 0, count: 2 * PageHeader.pageByteCount)
    pages.replaceSubrange(8192..<8200, with: [0x04, 0x03, 0x02, 0x01, 0x08, 0x07, 0x06, 0x05])
    pages[8192 + 15] = 0x20
    let first = pages.withBytes { PageHeader($0) }
    #expect(first.lsn == lsn(0))
    #expect(!first.isInUse)
    let second = pages.withBytes { PageHeader($0, at: 8192) }
    #expect(second.lsn == lsn(0x0102_0304_0506_0708))
    #expect(second.isInUse)
  }

  /// Goal: the LSN of the bootstrap has the bytes that a timeline stores. Method: read them.
  @Test func bootstrap() {
    let bytes = [0, 0, 0, 0, 0x28, 0, 0, 0] + [UInt8](repeating: 0, count: 8184)
    #expect(bytes.withBytes { PageHeader($0) }.lsn == PageHeader.bootstrapLSN)
  }
}
