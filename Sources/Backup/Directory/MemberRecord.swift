import PostgresFormat
import System

/// The record before each member's contents in the stream between a directory's reading thread
/// and its reader.
///
///     OFFSET SIZE MEANING                     all little-endian
///          0    8 the size that the file has
///          8    4 length of the name
///         12    4 length of the link's target, FFFFFFFF without one
///         16    1 kind
///         17    1 whether the contents follow
///         18      name, target
struct MemberRecord: Equatable {
  /// The member that the record describes.
  package var member: BackupMember
  var hasContents: Bool

  /// The length of the record before the name in bytes.
  package static let headerByteCount = 18

  private static let noTarget = UInt32.max
  private static let kinds: [MemberKind] = [.file, .directory, .symbolicLink, .hardLink, .other]

  /// The bytes of the record, which `init(decoding:)` reads in the other thread.
  package func encoded() -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.appendLittleEndian(member.byteCount)
    bytes.appendLittleEndian(UInt32(member.name.utf8.count))
    bytes.appendLittleEndian(member.linkTarget.map { UInt32($0.utf8.count) } ?? Self.noTarget)
    bytes.append(UInt8(Self.kinds.firstIndex(of: member.kind) ?? 0))
    bytes.append(hasContents ? 1 : 0)
    bytes += member.name.utf8
    bytes += (member.linkTarget ?? "").utf8
    return bytes
  }

  /// Takes a record from what `take` gives: the next so many bytes.
  ///
  /// Traps on what `encoded` did not make: the bytes never leave the process.
  package init(
    decoding take: (_ byteCount: Int) throws(Failure) -> [UInt8]
  ) throws(Failure) {
    let header = try take(Self.headerByteCount)
    let targetByteCount = header.bytes.littleEndian(at: 12, as: UInt32.self)
    member = BackupMember(
      name: String(
        decoding: try take(Int(header.bytes.littleEndian(at: 8, as: UInt32.self))), as: UTF8.self),
      kind: Self.kinds[Int(header[16])],
      byteCount: header.bytes.littleEndian(at: 0))
    if targetByteCount != Self.noTarget {
      member.linkTarget = String(decoding: try take(Int(targetByteCount)), as: UTF8.self)
    }
    hasContents = header[17] == 1
  }

  /// A record for a member; `hasContents` if its `byteCount` bytes follow in the stream.
  package init(member: BackupMember, hasContents: Bool) {
    self.member = member
    self.hasContents = hasContents
  }
}
