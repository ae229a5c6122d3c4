import PostgresFormat

extension TestTar {
  /// Removes relations that the tar does not have from every relation map: so the cluster stays
  /// complete for an import after relations were removed.
  public mutating func fitRelationMaps() {
    let names = Set(members.map(\.name))
    for index in members.indices where members[index].name.hasSuffix("/pg_filenode.map") {
      let directory = members[index].name.dropLast("pg_filenode.map".count)
      let bytes = members[index].contents
      let pairs = RelationMapFile.pairs(of: bytes.bytes)
        .filter { names.contains(directory + "\($0.relationNumber)") }
      var map = [UInt8](repeating: 0, count: bytes.count)
      map.replaceSubrange(0..<4, with: bytes[0..<4])
      map.replaceSubrange(4..<8, with: SmallBackup.bytesOf(UInt32(pairs.count)))
      for (place, pair) in pairs.enumerated() {
        let numbers = SmallBackup.bytesOf(pair.catalog) + SmallBackup.bytesOf(pair.relationNumber)
        map.replaceSubrange(8 + 8 * place..<16 + 8 * place, with: numbers)
      }
      // After 62 pairs, from version 16 on 64.
      let checksumOffset = bytes.count == 512 ? 504 : 520
      let checksum = CRC32C.checksum(of: map.bytes.extracting(0..<checksumOffset))
      map.replaceSubrange(
        checksumOffset..<checksumOffset + 4, with: SmallBackup.bytesOf(checksum))
      members[index].contents = map
    }
  }
}
