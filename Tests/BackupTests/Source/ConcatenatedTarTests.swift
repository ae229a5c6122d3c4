import Backup
import System
import TestSupport
import Testing

/// Goal: archives that follow one another are read as one, each to its end mark. Method: real tars of
/// GNU tar, one after the other, with all the padding that tar writes.
@Suite struct ConcatenatedTarTests {
  /// Three tars in a format, with records of `blocks` blocks, and the file of each.
  private static func tars(_ format: String, blocks: Int) throws -> [(
    bytes: [UInt8], file: [UInt8]
  )] {
    try (0..<3).map { number in
      let directory = try TemporaryDirectory()
      let bytes = try shell(
        """
        cd '\(directory.path)'; head -c $((\(number) * 700000 + 5000)) /bin/bash > file\(number)
        mkdir dir\(number); tar --format=\(format) -b \(blocks) -cf - file\(number) dir\(number)
        """)
      return (bytes, try shell("head -c $((\(number) * 700000 + 5000)) /bin/bash"))
    }
  }

  @Test(arguments: ["gnu", "pax", "ustar", "v7"], [1, 20, 4096])
  func readsAll(format: String, blocks: Int) throws {
    let tars = try Self.tars(format, blocks: blocks)
    let members = try readAll(tars.flatMap(\.bytes))
    #expect(members.map(\.member.name) == ["file0", "dir0/", "file1", "dir1/", "file2", "dir2/"])
    #expect(members.map(\.contents) == [tars[0].file, [], tars[1].file, [], tars[2].file, []])
  }

  /// The end mark anywhere in the input's buffers of 1 MiB, and the next header in the same one or
  /// another.
  @Test func acrossBuffers() throws {
    for offset in stride(from: -2048, through: 1024, by: 512) {
      var first = TarBuilder()
      first.add("a", contents: halfRandomBytes((1 << 20) - 512 + offset, seed: 3))
      var second = TarBuilder()
      second.add("b", contents: [1, 2, 3])
      for padding in [0, 512, 1 << 20, 3 << 20] {
        let bytes = first.archive + [UInt8](repeating: 0, count: padding) + second.archive
        let members = try readAll(bytes)
        #expect(members.map(\.member.name) == ["a", "b"], "\(offset), \(padding)")
        #expect(members.last?.contents == [1, 2, 3])
      }
    }
  }

  /// Compressed one by one, as `cat *.tar.gz` gives them.
  @Test(arguments: ["gzip -c", "zstd -qc", "xz -c", "lz4 -qc"])
  func compressed(program: String) throws {
    let tars = try Self.tars("gnu", blocks: 20)
    let bytes = try tars.flatMap { try shell(program, input: $0.bytes) }
    #expect(try readAll(bytes).count == 6)
  }

  /// Goal: pages of a second archive are lent as those of the first.
  @Test func lends() throws {
    var tar = TarBuilder()
    let page = halfRandomBytes(8192, seed: 9)
    tar.add("page", contents: page)
    let reader = try TarReader(source: MemorySource(tar.archive + tar.archive), name: "test")
    for _ in 0..<2 {
      _ = try #require(try reader.nextMember())
      let (buffer, range) = try #require(try reader.borrow(unitsOf: 8192, limit: 1))
      #expect(buffer.withBytes { $0.extracting(range).array } == page)
    }
    #expect(try reader.nextMember() == nil)
  }
}
