import Foundation
import Pipeline
import System
import TestSupport
import Testing

/// Backups that are cut off, damaged or malicious: a clear error each time, and never a trap, which
/// would end the tests themselves.
@Suite(.serialized, .timeLimit(.minutes(20))) struct HostileTarTests {
  /// Goal: a backup that is cut off anywhere is refused. Method: the tiny one, at every 512 bytes
  /// and at random bytes with a fixed seed.
  @Test func cutOff() async throws {
    var generator = SeededGenerator(state: 6)
    let whole = HostileTar.tiny
    var lengths = Array(stride(from: 0, to: whole.count, by: 512))
    lengths += (0..<60).map { _ in Int.random(in: 0..<whole.count, using: &generator) }
    try await inParallel(lengths) { length in
      let error = try await HostileTar.outcome(of: Array(whole.prefix(length)))
      #expect(error?.exitCode == .damaged, "cut off at \(length): \(error?.message ?? "imported")")
    }
    #expect(try await HostileTar.outcome(of: whole) == nil)
  }

  /// Goal: the same for real ones, compressed and not. Method: random bytes with a fixed seed.
  @Test func realCutOff() async throws {
    var generator = SeededGenerator(state: 66)
    let name = "clean-15-minimal-promoted.tar"
    let compressed = Array(try Data(contentsOf: URL(filePath: Fixture.path(name + ".zst"))))
    for backup in [compressed, try Fixture.bytes(name)] {
      for _ in 0..<6 {
        let length = Int.random(in: 0..<backup.count, using: &generator)
        let error = try await HostileTar.outcome(of: Array(backup.prefix(length)))
        #expect(
          error?.exitCode == .damaged, "cut off at \(length): \(error?.message ?? "imported")")
      }
    }
  }

  /// Goal: a flipped bit in a header is noticed. Method: every third bit of the headers of a
  /// directory, a relation and pg_control, which come first here. Some bits of the checksum field
  /// have no meaning: with these, the backup may still be valid.
  @Test(arguments: ["./", "./base/5/2602", "./global/pg_control"])
  func flippedHeader(name: String) async throws {
    let bytes = try Self.backup(beginningWith: name)
    try await inParallel(Array(stride(from: 0, to: 4096, by: 3))) { bit in
      var flipped = bytes
      flipped[bit / 8] ^= 1 << (bit % 8)
      let error = try await HostileTar.outcome(of: flipped)
      let isInChecksum = (148..<156).contains(bit / 8)
      #expect(error?.exitCode == .damaged || isInChecksum && error == nil, "bit \(bit)")
    }
  }

  /// Goal: a flipped bit in `pg_control` is noticed. Method: every bit that Postgres's own checksum
  /// covers, and the checksum.
  @Test func flippedControlFile() async throws {
    let bytes = try Self.backup(beginningWith: "./global/pg_control")
    try await inParallel(0..<296 * 8) { bit in
      var flipped = bytes
      flipped[512 + bit / 8] ^= 1 << (bit % 8)
      let error = try await HostileTar.outcome(of: flipped)
      // The first bytes have the version, which is checked before the checksum. An import reads
      // nothing after the checksum at 288.
      let isRefused = error?.exitCode == .damaged || error?.exitCode == .unsupported && bit / 8 < 16
      #expect(isRefused || bit / 8 >= 292 && error == nil, "bit \(bit): \(error?.message ?? "")")
    }
  }

  /// Goal: any value of any header field is an error at most. Method: set each field of the header
  /// of a relation to extreme values, also numbers in octal and in base 256, and correct the
  /// checksum.
  @Test(arguments: HostileTar.Field.all) func extremeField(field: HostileTar.Field) async throws {
    let bytes = try Self.backup(beginningWith: "./base/5/2602")
    var generator = SeededGenerator(state: UInt64(field.range.lowerBound))
    let count = field.range.count
    func filled(_ byte: UInt8) -> [UInt8] { [UInt8](repeating: byte, count: count) }
    var values = [0, 0x20, 0x2D, 0x30, 0x37, 0x39, 0x41, 0x7F, 0x80, 0xFF].map(filled)
    values += [0x80, 0xFF, 0xBF, 0x2D].map { [$0] + filled(0x37).dropFirst() }
    values += [[0x80] + filled(0xFF).dropFirst(), [0x80] + filled(0).dropFirst()]
    values += [0x7F, 0x80].map { Array(([UInt8(0x80), 0, 0, 0, $0] + filled(0)).prefix(count)) }
    if field.name == "type" { values = (0...255).map { [$0] } }
    values += (0..<8).map { _ in (0..<count).map { _ in .random(in: 0...255, using: &generator) } }
    try await inParallel(values) { value in
      var changed = bytes
      changed.replaceSubrange(field.range, with: value)
      if field.name != "checksum" { HostileTar.seal(&changed) }
      let error = try await HostileTar.outcome(of: changed)
      let codes: [ExitCode?] = [nil, .damaged, .unsupported]
      #expect(codes.contains(error?.exitCode), "\(field.name) \(value): \(error?.message ?? "")")
    }
  }

  /// Goal: sizes larger than the stream, or than any number, are errors.
  @Test(arguments: [1 << 20, 1 << 30, 1 << 33, 1 << 62, UInt64.max >> 1, 1 << 63, UInt64.max])
  func sizeBeyondTheStream(size: UInt64) async throws {
    for name in ["./base/5/99999", "./pg_xact/0001", "./global/pg_filenode.map", "./log/a"] {
      let bytes = HostileTar.member(name, claimed: size) + [UInt8](repeating: 0, count: 4096)
      let error = try #require(try await HostileTar.outcome(of: bytes), "\(name)")
      #expect([.damaged, .unsupported].contains(error.exitCode), "\(error.message)")
      for value in ["\(size)", "-\(size)", "\(size)\(size)", "1e9", ""] {
        let pax = HostileTar.pax([("size", Array(value.utf8))])
        let error = try await HostileTar.outcome(of: pax + bytes)
        #expect([.damaged, .unsupported].contains(error?.exitCode), "\(error?.message ?? "")")
      }
    }
  }

  /// Goal: names that are too long or too deep are refused with a readable line, and names that
  /// Linux allows are not. Method: long names in the formats of GNU and of pax.
  @Test func longNames() async throws {
    let long = "./log/" + String(repeating: "a", count: 64 << 10)
    let deep = "./log" + String(repeating: "/d", count: 32 << 10)
    for name in [long, deep, String(repeating: "/../..", count: 10_000)] {
      for bytes in [
        HostileTar.member(name),
        HostileTar.pax([("path", Array(name.utf8))]) + HostileTar.member("./log/a"),
      ] {
        let error = try await HostileTar.outcome(of: HostileTar.backup(after: bytes))
        #expect(error?.exitCode == .damaged)
        #expect(error?.message.contains("more than 4096") == true)
        #expect((error?.message.utf8.count ?? 0) < 400)
      }
    }
    let fine = HostileTar.member("./log/" + String(repeating: "d/", count: 2040))
    #expect(try await HostileTar.outcome(of: HostileTar.backup(after: fine)) == nil)
  }

  /// A tar of the tiny backup with this member first.
  private static func backup(beginningWith name: String) throws -> [UInt8] {
    var tar = SmallBackup.tiny
    let index = try #require(tar.members.firstIndex { $0.name == name })
    tar.members.insert(tar.members.remove(at: index), at: 0)
    return tar.encoded()
  }
}
