import Foundation
import Operations
import Pipeline
import System
import TestSupport
import Testing

/// Malicious tars, and their import within this process.
enum HostileTar {
  /// The tiny backup with `members` before its own.
  static func backup(after members: [UInt8]) -> [UInt8] { members + tiny }

  static let tiny = SmallBackup.tiny.encoded()

  /// A field of a tar header.
  struct Field: Sendable {
    var name: String
    var range: Range<Int>

    init(_ name: String, _ start: Int, _ count: Int) {
      self.name = name
      range = start..<start + count
    }

    /// All of them. (POSIX, `pax` interchange format)
    static let all = [
      Field("name", 0, 100), Field("mode", 100, 8), Field("uid", 108, 8), Field("gid", 116, 8),
      Field("size", 124, 12), Field("mtime", 136, 12), Field("checksum", 148, 8),
      Field("type", 156, 1), Field("link", 157, 100), Field("magic", 257, 6),
      Field("version", 263, 2), Field("user", 265, 32), Field("group", 297, 32),
      Field("major", 329, 8), Field("minor", 337, 8), Field("prefix", 345, 155),
    ]
  }

  /// Sets the checksum of the header at `offset`.
  static func seal(_ bytes: inout [UInt8], at offset: Int = 0) {
    bytes.replaceSubrange(offset + 148..<offset + 156, with: Array("        ".utf8))
    let sum = String(bytes[offset..<offset + 512].reduce(0) { $0 + Int($1) }, radix: 8)
    let digits = String(repeating: "0", count: 6 - sum.count) + sum
    bytes.replaceSubrange(offset + 148..<offset + 155, with: Array(digits.utf8) + [0])
  }

  /// A member of any type, padded; `change` may change its header before the checksum is set.
  static func member(
    _ name: String, type: Character = "0", contents: [UInt8] = [], claimed: UInt64? = nil,
    _ change: (inout [UInt8]) -> Void = { _ in }
  ) -> [UInt8] {
    let member = TestTar.Member(name, type: type, contents: contents, claimedByteCount: claimed)
    var bytes = TestTar([member]).encoded(isComplete: false)
    change(&bytes)
    seal(&bytes)
    return bytes
  }

  /// A pax header with these records.
  static func pax(_ records: [(String, [UInt8])], type: Character = "x") -> [UInt8] {
    var body: [UInt8] = []
    for (key, value) in records {
      let rest = key.utf8.count + value.count + 3
      var length = rest + String(rest).count
      length = rest + String(length).count
      body += Array("\(length) \(key)=".utf8) + value + [10]
    }
    return member("pax", type: type, contents: body) { header in
      header.replaceSubrange(257..<265, with: Array("ustar\u{0}00".utf8))
    }
  }

  /// The error of an import of these bytes; nil if it succeeds. An error must leave nothing.
  static func outcome(
    of bytes: [UInt8], sourceLocation: SourceLocation = #_sourceLocation
  ) async throws -> Failure? {
    let scene = try Scene(bytes)
    var options = ImportOptions(backup: scene.backup, outputDirectory: scene.output)
    options.jobs = 1
    do throws(Failure) {
      _ = try importBackup(options, progress: nil)
      return nil
    } catch {
      #expect(try scene.files() == nil, "files are left", sourceLocation: sourceLocation)
      #expect(!error.message.isEmpty, sourceLocation: sourceLocation)
      let isPlain = (error.message + (error.hint ?? "")).unicodeScalars.allSatisfy {
        $0.properties.generalCategory != .control && $0.properties.generalCategory != .format
      }
      #expect(isPlain, "\(error.message)", sourceLocation: sourceLocation)
      return error
    }
  }
}
