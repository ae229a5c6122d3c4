import Foundation
import PostgresFormat

/// A `backup_manifest` as Postgres writes it, made from a tar; of the program's own code, it uses
/// CRC-32C only.
public struct TestManifest: Sendable {
  /// An entry of `Files`.
  public struct File: Sendable {
    /// The file's path in the data directory.
    public var path: String
    /// The file's length in bytes.
    public var byteCount: Int
    /// The value of `Checksum-Algorithm`.
    public var algorithm = "CRC32C"
    /// The checksum in lower-case hexadecimal digits.
    public var checksum: String

    /// The entry for a file with these contents, with their CRC-32C.
    public init(path: String, contents: [UInt8]) {
      self.path = path
      byteCount = contents.count
      let crc = CRC32C.checksum(of: contents.bytes)
      checksum = hexadecimal((0..<4).map { UInt8(truncatingIfNeeded: crc >> (8 * $0)) })
    }
  }

  /// The files that are listed, in this order.
  public var files: [File]
  /// The cluster's system identifier; nil for a manifest of version 1, which has none.
  public var systemIdentifier: UInt64?
  /// The entries of `WAL-Ranges`; LSNs as Postgres writes them.
  public var walRanges = [(timeline: 1, start: "0/1000028", end: "FFFF/0")]

  /// Lists every file of a tar with names that begin with `./`, except those that no manifest
  /// lists.
  public init(_ tar: TestTar) {
    files = tar.members.filter { $0.type == "0" }.compactMap { member in
      let path = String(member.name.trimmingPrefix("./"))
      guard !path.hasPrefix("pg_wal/"), path != "backup_manifest" else { return nil }
      return File(path: path, contents: member.contents)
    }
  }

  /// The file with a path, which must be listed.
  public subscript(_ path: String) -> File {
    get { files[index(of: path)] }
    set { files[index(of: path)] = newValue }
  }

  private func index(of path: String) -> Int {
    guard let index = files.firstIndex(where: { $0.path == path }) else {
      preconditionFailure("the manifest has no '\(path)'")
    }
    return index
  }

  /// The manifest with its checksum, computed by the `sha256sum` program.
  public func encoded() throws -> [UInt8] {
    let version = systemIdentifier == nil ? 1 : 2
    var text = "{ \"PostgreSQL-Backup-Manifest-Version\": \(version),\n"
    if let systemIdentifier { text += "\"System-Identifier\": \(systemIdentifier),\n" }
    text += "\"Files\": [\n"
    text += files.map { file in
      "{ \"Path\": \"\(file.path)\", \"Size\": \(file.byteCount), "
        + "\"Last-Modified\": \"2026-11-23 04:19:07 GMT\", "
        + "\"Checksum-Algorithm\": \"\(file.algorithm)\", \"Checksum\": \"\(file.checksum)\" }"
    }.joined(separator: ",\n")
    text += "\n],\n\"WAL-Ranges\": [\n"
    text += walRanges.map {
      "{ \"Timeline\": \($0.timeline), \"Start-LSN\": \"\($0.start)\", "
        + "\"End-LSN\": \"\($0.end)\" }"
    }.joined(separator: ",\n")
    text += "\n],\n"
    return try Self.signed(text)
  }

  /// The text of a manifest with its last line, the checksum.
  public static func signed(_ text: String) throws -> [UInt8] {
    let sum = try Self.sum("sha256sum", Array(text.utf8))
    return Array((text + "\"Manifest-Checksum\": \"\(sum)\"}\n").utf8)
  }

  /// The hexadecimal digits from a program of coreutils (`sha256sum`, `sha512sum` …).
  public static func sum(_ program: String, _ contents: [UInt8]) throws -> String {
    let directory = try TemporaryDirectory(inMemory: true)
    let path = directory.path + "/contents"
    try Data(contents).write(to: URL(filePath: path))
    return String(
      String(decoding: try Shell.output(program, path), as: UTF8.self).prefix { $0 != " " })
  }
}

/// Two lower-case hexadecimal digits per byte.
private func hexadecimal(_ bytes: [UInt8]) -> String {
  bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}
