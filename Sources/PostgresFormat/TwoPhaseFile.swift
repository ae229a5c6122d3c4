/// The state of a prepared transaction: a file in `pg_twophase`.
///
///     OFFSET SIZE MEANING                     all little-endian
///          0    4 magic, 57F94534
///          4    4 length of the file, checksum included
///          8    4 transaction id
///         28    4 how many subtransactions it has
///         54    2 length of its name
///         72      its name; then, from the next multiple of 8 on, the ids of the subtransactions
///        end    4 CRC-32C of all before it
///
/// In version 14, two counts are missing at 40, and what follows them is 8 bytes further up. (Postgres,
/// `src/backend/access/transam/twophase.c`, `TwoPhaseFileHeader`) A timeline stores it
/// without the checksum, which a pageserver appends when it serves the file. A pageserver's own
/// importer stores the checksum too. So files in backups of such timelines contain the checksum
/// twice; the second covers the first.
public struct TwoPhaseFile: Equatable, Sendable {
  /// The lower half of the transaction id.
  public let transactionID: UInt32

  /// The length of the part that a timeline stores, from the start of the file, in bytes.
  public let storedByteCount: Int

  /// Whether the file contained its checksum twice; storing `storedByteCount` bytes repairs it.
  public let wasDoubled: Bool

  /// Checks the whole file.
  ///
  /// - Throws: `damaged`.
  public static func decode(_ bytes: RawSpan) throws(FormatError) -> TwoPhaseFile {
    guard bytes.byteCount >= minimumByteCount else {
      throw .damaged("a two-phase file of \(bytes.byteCount) bytes is too short")
    }
    guard bytes.littleEndian(at: 0, as: UInt32.self) == magic else {
      throw .damaged("the magic number of the two-phase file is wrong")
    }
    let length = Int(bytes.littleEndian(at: 4, as: UInt32.self))
    let wasDoubled = length == bytes.byteCount - 4
    guard length == bytes.byteCount || wasDoubled, length >= minimumByteCount,
      length % 8 == 4
    else {
      throw .damaged(
        "the two-phase file has \(bytes.byteCount) bytes, but its header says \(length)")
    }
    guard hasChecksum(bytes.extracting(0..<length)), !wasDoubled || hasChecksum(bytes) else {
      throw .damaged("the checksum of the two-phase file does not match its contents")
    }
    let transactionID: UInt32 = bytes.littleEndian(at: 8)
    guard transactionID >= 3 else {
      throw .damaged("transaction id \(transactionID) cannot belong to a prepared transaction")
    }
    return TwoPhaseFile(
      transactionID: transactionID, storedByteCount: length - 4, wasDoubled: wasDoubled)
  }

  /// Checks that the name of the file matches its transaction.
  ///
  /// - Parameters:
  ///   - id: the transaction id in the name.
  ///   - digitCount: the number of digits in the name.
  /// - Throws: `damaged`: Postgres would ignore the file, or not find its transaction.
  public func requireName(
    transactionID id: UInt64, digitCount: Int, version: PostgresVersion
  ) throws(FormatError) {
    guard digitCount == version.twoPhaseNameDigits else {
      throw .damaged(
        "the name of a two-phase file has \(version.twoPhaseNameDigits) digits in Postgres "
          + "\(version.rawValue), not \(digitCount)")
    }
    guard UInt32(truncatingIfNeeded: id) == transactionID else {
      throw .damaged("the two-phase file contains transaction \(transactionID), not \(id)")
    }
  }

  /// The ids of the transaction and its subtransactions, whose rows are there if it is committed; nil if
  /// the file, with or without its checksum, is too short for them.
  public static func transactionIDs(in file: RawSpan, version: PostgresVersion) -> [UInt32]? {
    let headerByteCount = version >= .v15 ? 72 : 64
    guard file.byteCount >= headerByteCount else { return nil }
    let count = Int(file.littleEndian(at: 28, as: UInt32.self))
    // After it come the LSN and the time of a replication origin, 16 bytes.
    let nameByteCount = Int(file.littleEndian(at: headerByteCount - 18, as: UInt16.self))
    let start = headerByteCount + (nameByteCount + 7) / 8 * 8
    guard start + 4 * count <= file.byteCount else { return nil }
    return [file.littleEndian(at: 8)] + (0..<count).map { file.littleEndian(at: start + 4 * $0) }
  }

  /// The whole file from the part that a timeline stores, with the checksum.
  public static func encode(stored: [UInt8]) -> [UInt8] {
    var bytes = stored
    bytes.appendLittleEndian(CRC32C.checksum(of: stored.bytes))
    return bytes
  }

  private static let magic: UInt32 = 0x57F9_4534

  /// The header of version 14, the record that ends the list of records, the checksum.
  private static let minimumByteCount = 64 + 8 + 4

  private static func hasChecksum(_ bytes: RawSpan) -> Bool {
    let end = bytes.byteCount - 4
    return CRC32C.checksum(of: bytes.extracting(0..<end)) == bytes.littleEndian(at: end)
  }
}
