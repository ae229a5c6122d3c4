import Backup
import LayerFormat
import Operations
import Pipeline
import PostgresFormat
import System

extension FuzzTarget {
  /// Reads a tar as an import does, without writing.
  ///
  /// Corrects the checksums of headers if the first byte of the input is even.
  func runArchive(_ bytes: RawSpan) throws(Failure) {
    guard !bytes.isEmpty else { throw Failure(.backupTruncated, "no flags") }
    var contents = ShortForm.decode(
      bytes.extracting(droppingFirst: 1), blockByteCount: ShortForm.archiveBlock)
    if bytes.littleEndian(at: 0, as: UInt8.self).isMultiple(of: 2) { Self.mendHeaders(&contents) }
    let file = MemoryFile(contents.bytes)
    let tar = try TarReader(
      ReadAhead(wholeOf: try FileSource(path: file.path)), subject: "fuzz",
      progress: InputProgress())
    var intake = MemberIntake(
      source: tar, stripComponents: 0,
      recoveryRefusal: { code, message, _ in Failure(code, message) },
      smallRelationSize: 8192)
    var segments = SegmentTable()
    var page = [UInt8](repeating: 0, count: PageHeader.pageByteCount)
    var firstError: Failure?
    var pageCount = 0
    while let member = try tar.nextMember() {
      do throws(Failure) {
        guard let pages = try intake.take(member) else { continue }
        pageCount += try Self.readPages(of: pages, member, from: tar, into: &page, &segments)
      } catch {
        // As an inspection: what is wrong with one member keeps no other from being looked at.
        if firstError == nil { firstError = error }
      }
      // A hole of 1 GiB finds nothing new: the time is better spent on other inputs.
      if pageCount > 1024 { break }
    }
    if let firstError { throw firstError }
    try intake.requireNoUnexpectedFiles()
    try Self.judge(intake.contents, segments)
  }

  private static func readPages(
    of pages: MemberIntake.Pages, _ member: BackupMember, from tar: TarReader,
    into page: inout [UInt8], _ segments: inout SegmentTable
  ) throws(Failure) -> Int {
    let count = Int(min(member.byteCount / UInt64(page.count), 256))
    var done = pages.contents == nil ? 0 : count
    while done < count {
      // As an import does: pages in the read buffer, copied only if they are in pieces.
      if let (buffer, range) = try tar.borrow(unitsOf: page.count, limit: count - done) {
        precondition(range.count > 0 && range.count.isMultiple(of: page.count))
        precondition(range.upperBound <= buffer.byteCount, "pages are within their buffer")
        done += range.count / page.count
      } else {
        let read = try page.withMutableBytes { bytes throws(Failure) in
          try tar.read(into: &bytes)
        }
        precondition(read == page.count, "a page within the size of the member is read")
        done += 1
      }
    }
    precondition(done == count, "no more pages than requested")
    if case .relation(let segment, _) = pages.file {
      segments.add(
        segment, blockCount: UInt32(member.byteCount / UInt64(page.count)),
        highestLSN: LogSequenceNumber(rawValue: 0), block: 0, isNew: true)
    }
    return count
  }

  private static func judge(
    _ contents: ClusterContents, _ segments: SegmentTable
  ) throws(Failure) {
    var contents = contents
    var segments = segments
    let assessment = try contents.assessed()
    let relations = try segments.relations(upTo: assessment.endLSN)
    try contents.requireComplete(relations, version: assessment.version)
    let cluster = Cluster(contents, assessment, relations)
    var reader = KeyspaceReader(version: assessment.version)
    KeyspaceWriter(cluster).write { key, value in
      reader.take(key, value.bytes) { preconditionFailure("what is written is sound: \($0)") }
    }
    let read = reader.finish { preconditionFailure("all that is promised is written: \($0)") }
    precondition(read == cluster, "what is written is what is read")
  }

  /// Sets the checksum of each header, found by the size in the header before: no mutation gets it
  /// right.
  private static func mendHeaders(_ bytes: inout [UInt8]) {
    let block = ShortForm.archiveBlock
    var offset = 0
    while offset + block <= bytes.count, bytes[offset] != 0 {
      let field = offset + 148..<offset + 156
      bytes.replaceSubrange(field, with: repeatElement(0x20, count: field.count))
      let sum = bytes[offset..<offset + block].reduce(0) { $0 + Int($1) }
      let digits = String(sum, radix: 8)
      let text = String(repeating: "0", count: 6 - digits.count) + digits + "\0"
      bytes.replaceSubrange(field.prefix(7), with: text.utf8)
      let size = bytes[offset + 124..<offset + 135].prefix { $0 != 0 && $0 != 0x20 }
      let byteCount = Int(String(decoding: size, as: UTF8.self), radix: 8) ?? 0
      guard byteCount >= 0, byteCount < bytes.count else { return }
      offset += block + (byteCount + block - 1) / block * block
    }
  }
}
