import PostgresFormat

/// A backup of a real cluster, small enough for hundreds of imports.
public enum SmallBackup {
  /// `clean-15-minimal-promoted` without its big files: it has everything that an import reads,
  /// except most of the relations.
  public static let tar: TestTar = {
    do {
      var tar = TestTar(decoding: try Fixture.bytes("clean-15-minimal-promoted.tar"))
      tar.members.removeAll { member in
        guard member.name.hasPrefix("./base/"), member.type == "0" else { return false }
        let isKept =
          member.name.contains("/12") || member.name.hasPrefix("./base/5/26")
          || member.name.hasSuffix("PG_VERSION") || member.name.hasSuffix("pg_filenode.map")
        return !isKept || member.contents.count > 65536
      }
      tar.fitRelationMaps()
      return tar
    } catch {
      preconditionFailure("the fixture cannot be read: \(error)")
    }
  }()

  /// Even less: fourteen relations of one database, of one to seven pages, and no statistics.
  public static let tiny: TestTar = {
    var tar = Self.tar
    var relationCount = 0
    tar.members.removeAll { member in
      guard member.type == "0" else { return false }
      let directories = ["./base/", "./global/", "./pg_stat/"]
      guard directories.contains(where: { member.name.hasPrefix($0) }) else { return false }
      let kept = ["PG_VERSION", "pg_filenode.map", "pg_control"]
      if kept.contains(where: { member.name.hasSuffix($0) }) { return false }
      let isRelation =
        member.name.hasPrefix("./base/5/") && !member.contents.isEmpty
        && member.name.dropFirst(9).allSatisfy(\.isNumber)
      if isRelation { relationCount += 1 }
      return !isRelation || relationCount > 14
    }
    tar.fitRelationMaps()
    return tar
  }()

  /// The cluster's control file.
  public static let end = LogSequenceNumber(rawValue: 0x215_AD68)

  /// Replaces fields of `pg_control` and updates its CRC.
  public static func withControlFile(_ change: (inout [UInt8]) -> Void) -> TestTar {
    var tar = Self.tar
    var bytes = tar["global/pg_control"].contents
    change(&bytes)
    let checksum = CRC32C.checksum(of: bytes.bytes.extracting(0..<288))
    bytes.replaceSubrange(288..<292, with: bytesOf(checksum))
    tar["global/pg_control"].contents = bytes
    return tar
  }

  /// Changes a relation map, by default that of the shared relations, and updates its CRC.
  public static func relationMap(
    _ map: [UInt8] = tar["global/pg_filenode.map"].contents, _ change: (inout [UInt8]) -> Void
  ) -> [UInt8] {
    var bytes = map
    change(&bytes)
    let checksum = CRC32C.checksum(of: bytes.bytes.extracting(0..<504))
    bytes.replaceSubrange(504..<508, with: bytesOf(checksum))
    return bytes
  }

  /// Sets the checksum of a page in use, which is this block of its fork.
  public static func setChecksum(of page: inout [UInt8], block: UInt32) {
    let checksum = PageChecksum.checksum(of: page.bytes, block: block)
    page.replaceSubrange(8..<10, with: bytesOf(UInt32(checksum)).prefix(2))
  }

  /// The bytes of a number, the least significant one first.
  public static func bytesOf(_ number: UInt32) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
  }
}
