import Backup
import System
import TestSupport
import Testing

/// What is no sound archive, and is refused.
@Suite struct TarReaderRefusalTests {
  private var small: TarBuilder {
    var tar = TarBuilder()
    tar.add("a", contents: halfRandomBytes(1000, seed: 4))
    tar.add("directory/", type: "5")
    tar.addPax("path", "long/name")
    tar.add("b", contents: halfRandomBytes(512, seed: 5))
    tar.add("c")
    return tar
  }

  /// Goal: an archive cut off anywhere is refused as such. Method: every length of a small archive
  /// in steps of 64 bytes, read and skipped.
  @Test(arguments: [true, false])
  func cutAnywhere(reads: Bool) {
    let archive = small.archive
    for count in stride(from: 64, to: archive.count, by: 64) {
      let error = refusal(of: Array(archive[..<count]), readsContents: reads)
      #expect(error?.exitCode == .damaged, "cut at \(count)")
      let words = count < 512 ? "not a tar" : "unexpected end"
      #expect(error?.message.contains(words) == true, "cut at \(count)")
    }
    #expect(refusal(of: archive) == nil)
  }

  /// Goal: a real tar cut off anywhere is refused. Method: GNU tar of files of many sizes, in each
  /// format; seeded lengths short of its end mark, members skipped.
  @Test(arguments: ["gnu", "pax", "ustar", "v7"])
  func realTarCut(format: String) throws {
    let directory = try TemporaryDirectory()
    let tar = try shell(
      """
      cd '\(directory.path)' && for k in 0 1 511 512 513 8192 100000; do \
      head -c $k /bin/sh > file$k; done && tar --format=\(format) -b 1 -cf - .
      """)
    #expect(refusal(of: tar) == nil)
    var generator = SeededGenerator(state: 9)
    for _ in 0..<300 {
      let count = Int.random(in: 512..<tar.count, using: &generator)
      let error = refusal(of: Array(tar[..<count]), readsContents: false)
      #expect(error?.message.contains("unexpected end of archive") == true, "cut at \(count)")
    }
  }

  /// Goal: garbage behind the end is refused, padding is not. Method: one byte at several places
  /// behind the mark, in the same buffer and in later ones.
  @Test func garbageAfterTheEnd() {
    let archive = small.archive
    let padded = archive + [UInt8](repeating: 0, count: 5_000_000)
    #expect(refusal(of: padded) == nil)
    for offset in [archive.count, archive.count + 511, 2_000_000, padded.count - 1] {
      var bytes = padded
      bytes[offset] = 1
      #expect(refusal(of: bytes)?.message.contains("garbage after the end") == true, "\(offset)")
    }
    // A header that is not at the start of a block, and one whose checksum is wrong.
    for other in [[0] + archive, archive.map { $0 == 0x61 ? 0x62 : $0 }] {
      #expect(refusal(of: archive + other)?.message.contains("garbage after the end") == true)
    }
  }

  /// Goal: of several archives one after the other, each has to be whole. Method: the first or the
  /// last without its end mark, with half of it, and cut off anywhere.
  @Test func cutArchives() {
    let archive = small.archive
    let whole = archive + [UInt8](repeating: 0, count: 3584) + archive
    #expect(refusal(of: whole) == nil)
    for count in stride(from: archive.count + 3584, to: whole.count, by: 64) {
      let error = refusal(of: Array(whole[..<count]))
      // Zeros alone may follow an archive.
      if count == archive.count + 3584 {
        #expect(error == nil)
      } else {
        #expect(error?.exitCode == .damaged, "cut at \(count)")
      }
    }
    let half = Array(archive.dropLast(512))
    #expect(refusal(of: half + archive)?.message.contains("garbage after the end") == true)
  }

  /// Goal: a damaged header is refused, never stepped over, and the error stays. Method: flip a bit
  /// of every byte of the second header.
  @Test func damagedHeader() throws {
    let archive = small.archive
    for offset in 1536..<2048 {
      var bytes = archive
      bytes[offset] ^= 4
      let reader = try TarReader(source: MemorySource(bytes), name: "test")
      #expect(try reader.nextMember()?.name == "a")
      let error = try #require(throws: Failure.self, "\(offset)") { try reader.nextMember() }
      #expect(error.exitCode == .damaged)
      #expect(throws: error) { try reader.nextMember() }
    }
  }

  /// Goal: impossible sizes neither trap nor take memory. Method: base-256 sizes of 8 EiB and below
  /// zero, pax sizes likewise, in members that are read and that are skipped.
  @Test func impossibleSizes() {
    let most: [UInt8] = [0x80, 0, 0, 0] + [0x7F] + [UInt8](repeating: 0xFF, count: 7)
    let more: [UInt8] = [0x80] + [UInt8](repeating: 0xFF, count: 11)
    let negative = [UInt8](repeating: 0xFF, count: 12)
    for sizeField in [most, more, negative] {
      var tar = TarBuilder()
      tar.add("a", contents: [1, 2, 3], sizeField: sizeField)
      tar.add("b")
      #expect(refusal(of: tar.archive)?.exitCode == .damaged)
    }
    for size in ["9223372036854775807", "99999999999999999999999", "-5", "x"] {
      for key in ["size", "GNU.sparse.realsize"] {
        var tar = TarBuilder()
        tar.addPax(key, size)
        tar.add("a", contents: [1, 2, 3])
        tar.add("b")
        let error = refusal(of: tar.archive, readsContents: false)
        #expect(error?.exitCode == .damaged, "\(key)=\(size)")
      }
    }
  }

  /// Goal: a map of holes that does not fit what is stored is refused. Method: a pax map with too
  /// few bytes, with too many, beyond the size, and out of order.
  @Test(arguments: ["0,100", "0,512,600,300", "0,412,2000,100", "100,412,0,100", "0,x", "0"])
  func damagedMapOfHoles(map: String) {
    var tar = TarBuilder()
    let attributes = [("GNU.sparse.size", "1000"), ("GNU.sparse.map", map)]
    let text = attributes.map { key, value in
      let rest = " \(key)=\(value)\n"
      return "\(rest.utf8.count + 2)\(rest)"
    }.joined()
    tar.add("PaxHeader", type: "x", contents: Array(text.utf8))
    tar.add("file", contents: halfRandomBytes(512, seed: 6))
    tar.add("next")
    #expect(refusal(of: tar.archive)?.exitCode == .damaged)
  }

  /// Goal: malformed pax attributes are refused, not ignored. Method: bytes without a length, and
  /// a length that is too long.
  @Test(arguments: ["no length\n", "99 path=a\n", "0 path=a\n"])
  func malformedPax(text: String) {
    var tar = TarBuilder()
    tar.add("PaxHeader", type: "x", contents: Array(text.utf8))
    tar.add("file")
    #expect(refusal(of: tar.archive)?.exitCode == .damaged)
  }

  /// Goal: what is no tar is called that. Method: text, noise, and files of other formats by their
  /// magic numbers.
  @Test func noTar() {
    let text = Array(String(repeating: "This is no tar.\n", count: 100).utf8)
    #expect(refusal(of: text)?.message == "cannot read 'test': it is not a tar archive")
    #expect(refusal(of: [])?.message == "cannot read 'test': it is empty")
    let noise = halfRandomBytes(3000, seed: 7)
    #expect(refusal(of: noise)?.exitCode == .damaged)
    for (magic, name) in [("BZh91AY", "bzip2"), ("PK\u{3}\u{4}", "zip"), ("LZIP", "lzip")] {
      let error = refusal(of: Array(magic.utf8) + noise)
      #expect(error?.exitCode == .damaged)
      #expect(error?.message.contains(name) == true)
      #expect(error?.hint != nil)
    }
  }

  /// Goal: bits flipped anywhere in a tar never trap. Method: many seeded flips in an archive with
  /// every kind of extension; each gives members or a refusal as damaged.
  @Test func flippedBits() {
    var generator = SeededGenerator(state: 8)
    var tar = small
    tar.add("././@LongLink", type: "L", contents: Array("some/longer/name\0".utf8))
    tar.add("short", contents: [1, 2, 3])
    let archive = tar.archive
    for round in 0..<2000 {
      var bytes = archive
      for _ in 0...Int.random(in: 0..<3, using: &generator) {
        let bit = Int.random(in: 0..<bytes.count * 8, using: &generator)
        bytes[bit / 8] ^= 1 << (bit % 8)
      }
      if let error = refusal(of: bytes) { #expect(error.exitCode == .damaged, "round \(round)") }
    }
  }
}
