import Foundation
import System
import TestSupport
import Testing

@testable import Timeline

/// The hashes of files, as they are read back.
struct FileHasherTests {
  /// Goal: a hash is that of the whole file, whatever its length. Method: sha256sum(1), for lengths
  /// around that of the buffer; one hasher for all, as a layer follows a layer.
  @Test func coreutils() throws {
    let directory = try TemporaryDirectory()
    var generator = SeededGenerator(state: 3)
    var hasher = FileHasher()
    for length in [0, 1, 131_071, 131_072, 131_073, 262_144, 300_000] {
      let path = directory.path + "/\(length)"
      let bytes = generator.bytes(length)
      let file = try OutputFile(creating: path, mode: 0o600)
      try file.write(bytes.bytes, at: 0)
      let hash = try hasher.hash(file, byteCount: UInt64(length))
      let line = String(decoding: try Shell.output("sha256sum", path), as: UTF8.self)
      #expect(line.hasPrefix(hash + " "), "\(length) bytes")
      let digest = FileDigest(name: "\(length)", byteCount: UInt64(length), sha256: hash)
      let disk = DiskDirectory(path: directory.path)
      #expect(try hasher.digest(ofFileIn: disk, expected: digest) == digest)
    }
  }

  /// Goal: a file that is not as long as what was written to it is an error of the disk.
  @Test(arguments: [99, 101]) func otherLength(byteCount: UInt64) throws {
    let directory = try TemporaryDirectory()
    let file = try OutputFile(creating: directory.path + "/file", mode: 0o600)
    try file.write([UInt8](repeating: 1, count: 100).bytes, at: 0)
    #expect {
      var hasher = FileHasher()
      _ = try hasher.hash(file, byteCount: byteCount)
    } throws: { error in
      (error as? Failure)?.code == .writtenDataChanged
        && (error as? Failure)?.message.contains("100 bytes instead of \(byteCount)") == true
    }
  }
}
