import PostgresFormat
import TestSupport
import Testing

@testable import Backup

/// Goal: of a cluster with data checksums, every page is checked before its checksum means nothing
/// any more. Each begins with a real cluster that has them.
@Suite struct PageChecksumTests {
  /// A relation of the small backup, of more than one page.
  private static let relation = "base/5/2606"

  private static func damaged(_ change: (inout TestTar) -> Void) -> [UInt8] {
    var tar = SmallBackup.tar
    change(&tar)
    return tar.encoded()
  }

  /// Method: as the cluster was written; every page of a relation counts, none of the SLRUs.
  @Test func sound() async throws {
    let directory = try TemporaryDirectory()
    let summary = try await SmallBackup.importBytes(SmallBackup.tar.encoded(), in: directory)
    #expect(summary.pageChecksums.result == .verified)
    #expect(summary.pageChecksums.damagedPageCount == 0)
    let slruPageCount = SmallBackup.tar.members.filter {
      $0.name.hasPrefix("./pg_xact/") || $0.name.hasPrefix("./pg_multixact/")
    }.reduce(0) { $0 + $1.contents.count / 8192 }
    #expect(slruPageCount > 0)
    #expect(summary.pageChecksums.pageCount == summary.pageCount - UInt64(slruPageCount))
  }

  /// Method: one bit of a page; the refusal names the file, the block and both checksums, and
  /// nothing is left.
  @Test(arguments: [0, 12, 100, 8191])
  func flippedBit(offset: Int) async throws {
    let error = try await SmallBackup.refusal(
      of: Self.damaged { $0[Self.relation].contents[8192 + offset] ^= 4 })
    #expect(error?.exitCode == .damaged)
    #expect(error?.message == "a page is damaged: its checksum does not match its contents")
    #expect(error?.hint?.contains("--page-checksums warn") == true)
    let page = try #require(error?.backupFindings?.pageChecksums?.damagedPages.first)
    #expect(page.file == Self.relation && page.block == 1)
    #expect(page.expected != nil && page.expected != page.found)
    #expect(error?.findings?.lines.first?.hasPrefix("\(Self.relation), block 1: ") == true)
  }

  /// Method: more pages than a message names; the findings name each, in the order of the backup.
  @Test func manyPages() async throws {
    let pages = [UInt8](repeating: 7, count: 30 * 8192)
    let error = try await SmallBackup.refusal(
      of: Self.damaged { $0.members.append(.init("./base/5/99999", contents: pages)) })
    #expect(error?.message.hasPrefix("30 pages are damaged") == true)
    #expect(error?.findings?.lines.count == 21)
    #expect(error?.findings?.lines.last == "and 10 more")
    #expect(error?.backupFindings?.pageChecksums?.damagedPages.map(\.block) == Array(0..<30))
  }

  /// Method: the same page under `warn` and `skip` is imported; the first tells of it.
  @Test func warnAndSkip() async throws {
    let bytes = Self.damaged { $0[Self.relation].contents[100] ^= 1 }
    let directory = try TemporaryDirectory()
    let warned = try await SmallBackup.importBytes(bytes, in: directory) {
      $0.pageChecksums = .warn
    }
    #expect(warned.pageChecksums.result == .damaged)
    #expect(warned.pageChecksums.damagedPages.map(\.file) == [Self.relation])
    let skipped = try await SmallBackup.importBytes(bytes, in: directory) {
      $0.pageChecksums = .skip
      $0.force = true
    }
    #expect(skipped.pageChecksums == PageChecksumSummary(result: .skipped))
  }

  /// Method: the same cluster with its checksums switched off, as `pg_checksums --disable` leaves
  /// it, which bears stale checksums from then on.
  @Test func clusterWithoutChecksums() async throws {
    var tar = SmallBackup.withControlFile { $0.replaceSubrange(252..<256, with: [0, 0, 0, 0]) }
    tar[Self.relation].contents[100] ^= 1
    let directory = try TemporaryDirectory()
    let summary = try await SmallBackup.importBytes(tar.encoded(), in: directory)
    #expect(summary.pageChecksums == PageChecksumSummary(result: .none))
  }

  /// Method: a page of zeros is new, and sound; one that is not, with a header of zeros, is what a
  /// server refuses to read.
  @Test func newPages() async throws {
    var contents = [UInt8](repeating: 0, count: 2 * 8192)
    let directory = try TemporaryDirectory()
    let sound = Self.damaged { $0.members.append(.init("./base/5/99999", contents: contents)) }
    _ = try await SmallBackup.importBytes(sound, in: directory)
    contents[8192 + 5000] = 1
    let error = try await SmallBackup.refusal(
      of: Self.damaged { $0.members.append(.init("./base/5/99999", contents: contents)) })
    #expect(
      error?.findings?.lines == [
        "base/5/99999, block 1: the block has no checksum but is not all zeros"
      ])
  }

  /// Method: the second segment of a relation without its first, which is an error of its own, but
  /// found later: pages with the checksums of blocks 131072 and on are sound; the same pages with
  /// those of blocks 0 and on are not.
  @Test(arguments: [131_072, 0] as [UInt32])
  func secondSegment(firstBlock: UInt32) async throws {
    var contents: [UInt8] = []
    for block in firstBlock..<firstBlock + 3 {
      var page = Array(SmallBackup.tar[Self.relation].contents.prefix(8192))
      SmallBackup.setChecksum(of: &page, block: block)
      contents += page
    }
    let error = try await SmallBackup.refusal(
      of: Self.damaged { $0.members.append(.init("./base/5/99999.1", contents: contents)) })
    if firstBlock == 0 {
      let pages = try #require(error?.backupFindings?.pageChecksums?.damagedPages)
      #expect(pages.map(\.block) == [131_072, 131_073, 131_074])
      #expect(pages.allSatisfy { $0.file == "base/5/99999.1" })
    } else {
      #expect(error?.message.contains("'base/5/99999' is missing") == true)
    }
  }

  /// Method: a pageserver's own backup whose `pg_control` speaks of checksums, which the pages that
  /// the pageserver made do not bear.
  @Test func fullbackup() async throws {
    var tar = TestTar(decoding: try Fixture.bytes("fullbackup-15.tar"))
    tar.members.removeAll { $0.name.contains("base/") && $0.contents.count > 8192 }
    tar.fitRelationMaps()
    var control = tar["global/pg_control"].contents
    control.replaceSubrange(252..<256, with: SmallBackup.bytesOf(1))
    let crc = CRC32C.checksum(of: control.bytes.extracting(0..<288))
    control.replaceSubrange(288..<292, with: SmallBackup.bytesOf(crc))
    tar["global/pg_control"].contents = control
    let directory = try TemporaryDirectory()
    let summary = try await SmallBackup.importBytes(tar.encoded(), in: directory)
    #expect(summary.pageChecksums.result == .none)
  }

  /// Goal: memory is bounded, and the number is whole all the same. Method: a result that gets more
  /// damaged pages than it keeps.
  @Test func limit() throws {
    let segment = RelationSegment(
      databaseID: 5, relationNumber: 16384, fork: .main, segmentNumber: 0)
    let page = [UInt8](repeating: 1, count: 8192)
    var result = PageCheckResult()
    for _ in 0..<PageCheckResult.limit / 64 + 10 {
      var check = PageCheck(isEnabled: true)
      for block in 0..<UInt32(64) {
        var unchecked = page
        unchecked[8] = 0
        unchecked[9] = 0
        let header = PageHeader(unchecked.bytes)
        check.examine(unchecked.bytes, header, isZero: false, of: segment, block: block)
      }
      result.add(check)
    }
    #expect(result.damagedPageCount == UInt64(PageCheckResult.limit + 640))
    #expect(result.keptPageCount == PageCheckResult.limit)
  }
}
