import Foundation
import TestSupport
import Testing

@testable import Backup

/// What a sound archive gives.
@Suite struct TarReaderTests {
  /// Goal: members come out in order with kind, size and contents. Method: an archive with every
  /// kind, read through buffers of sizes around a block.
  @Test(arguments: [1, 511, 512, 513, 100_000])
  func membersComeInOrder(bufferSize: Int) throws {
    var tar = TarBuilder()
    let contents = halfRandomBytes(3000, seed: 1)
    tar.add("base/", type: "5")
    tar.add("base/1", contents: contents)
    tar.add("empty")
    tar.add("pg_wal", type: "2", linkName: "/wal")
    tar.add("same", type: "1", linkName: "base/1")
    tar.add("fifo", type: "6")
    let members = try readAll(tar.archive, bufferSize: bufferSize)
    #expect(
      members.map(\.member) == [
        BackupMember(name: "base/", kind: .directory, byteCount: 0),
        BackupMember(name: "base/1", kind: .file, byteCount: 3000),
        BackupMember(name: "empty", kind: .file, byteCount: 0),
        BackupMember(name: "pg_wal", kind: .symbolicLink, byteCount: 0, linkTarget: "/wal"),
        BackupMember(name: "same", kind: .hardLink, byteCount: 0, linkTarget: "base/1"),
        BackupMember(name: "fifo", kind: .other, byteCount: 0),
      ])
    #expect(members.map(\.contents.count) == [0, 3000, 0, 0, 0, 0])
    #expect(members[1].contents == contents)
  }

  /// Goal: contents that span many read-ahead buffers are the same bytes, whether read or partly
  /// skipped. Method: members of several MiB, of which only some are read and only in part.
  @Test func membersAreSkipped() throws {
    var tar = TarBuilder()
    let contents = halfRandomBytes(3_500_000, seed: 2)
    for number in 0..<4 { tar.add("\(number)", contents: contents) }
    let reader = try TarReader(source: MemorySource(tar.archive), name: "test")
    var buffer = [UInt8](repeating: 0, count: 1_500_000)
    var names: [String] = []
    while let member = try reader.nextMember() {
      names.append(member.name)
      guard member.name != "1" else { continue }
      #expect(try read(reader, into: &buffer) == buffer.count)
      #expect(buffer == Array(contents[..<buffer.count]))
    }
    #expect(names == ["0", "1", "2", "3"])
    #expect(try reader.nextMember() == nil)
    #expect(reader.inputBytesRead == UInt64(tar.archive.count))
    #expect(!reader.isCompressed)
  }

  /// Goal: long names and names beyond ASCII come out right in every format. Method: GNU tar makes
  /// them; a name that is no UTF-8 is repaired.
  @Test(arguments: ["gnu", "pax", "ustar"])
  func namesComeOutRight(format: String) throws {
    let directory = try TemporaryDirectory()
    let long = String(repeating: "d/", count: 60) + "größe-\(String(repeating: "x", count: 80))"
    let bytes = try shell(
      """
      cd '\(directory.path)' && mkdir -p "$(dirname '\(long)')" && echo 1 > '\(long)' \
      && touch "$(printf 'a\\377b')" && ln -s 'zürich' link \
      && tar --format=\(format) -cf - '\(long)' a* link
      """)
    let members = try readAll(bytes)
    #expect(members.map(\.member.name) == [long, "a\u{FFFD}b", "link"])
    #expect(members[0].contents == Array("1\n".utf8))
    #expect(members[2].member.linkTarget == "zürich")
  }

  /// Goal: holes are zeros, and the bytes between them are in their place. Method: GNU tar makes
  /// sparse members of every format that it knows from one file; one is a hole alone.
  @Test(arguments: [
    "gnu", "pax --sparse-version=0.0", "pax --sparse-version=0.1", "pax --sparse-version=1.0",
  ])
  func sparseMembers(format: String) throws {
    let directory = try TemporaryDirectory()
    let bytes = try shell(
      """
      cd '\(directory.path)' && truncate -s 3000000 hole && truncate -s 4000000 file \
      && for k in 0 5 6 40 200 201 300 350 400 450 476; do \
      printf "block $k" | dd of=file bs=8192 seek=$k conv=notrunc 2>/dev/null; done \
      && tar --sparse --format=\(format) -cf - file hole && cat file
      """)
    let tar = Array(bytes.dropLast(4_000_000))
    #expect(tar.count < 1_000_000)
    let members = try readAll(tar)
    #expect(members.map(\.member.name) == ["file", "hole"])
    #expect(members.map(\.member.byteCount) == [4_000_000, 3_000_000])
    #expect(members[0].contents == Array(bytes.suffix(4_000_000)))
    #expect(members[1].contents == [UInt8](repeating: 0, count: 3_000_000))
  }

  /// Goal: a pax size goes before the header's. Method: a header that says 0.
  @Test func paxSize() throws {
    var tar = TarBuilder()
    let contents = halfRandomBytes(700, seed: 3)
    tar.addPax("size", "700")
    tar.add("file", contents: contents, sizeField: Array("00000000000\0".utf8))
    tar.add("next")
    let members = try readAll(tar.archive)
    #expect(members.map(\.member.byteCount) == [700, 0])
    #expect(members[0].contents == contents)
  }

  /// Goal: a member that ends in zeros, or is all zeros, is not taken for the archive's end, nor
  /// the end for damage. Method: last members of zeros of many sizes.
  @Test(arguments: [1, 511, 512, 1024, 5000, 1 << 20, (1 << 20) - 512, (1 << 20) - 1024])
  func lastMemberOfZeros(size: Int) throws {
    var tar = TarBuilder()
    tar.add("zeros", contents: [UInt8](repeating: 0, count: size))
    #expect(try readAll(tar.archive).map(\.contents.count) == [size])
    #expect(refusal(of: tar.bytes)?.exitCode == .damaged)
    #expect(refusal(of: tar.bytes + [UInt8](repeating: 0, count: 512))?.exitCode == .damaged)
  }

  /// Goal: an archive of nothing is an archive. Method: two blocks of zeros, and a padded one.
  @Test(arguments: [1024, 10240])
  func emptyArchive(size: Int) throws {
    #expect(try readAll([UInt8](repeating: 0, count: size)).isEmpty)
  }
}
