extension ControlFile {
  /// Checks that the cluster was shut down cleanly, so that its files are consistent without WAL.
  ///
  /// - Throws: `unsupported`; a server recovers such a cluster, and a stopped standby just as well.
  public func requireCleanShutdown() throws(FormatError) {
    switch state {
    case .shutDown: return
    case .shutDownInRecovery:
      throw FormatError(.standbyCluster, "the cluster is a standby that was stopped")
    default:
      throw FormatError(
        .uncleanShutdown, "the cluster was running or crashed (state: \(state))")
    }
  }

  /// Checks that the layout of the cluster's files is that of the builds that computes run.
  ///
  /// - Throws: `unsupported` for the first field that differs.
  public func validateLayout() throws(FormatError) {
    try require(Offset.alignment, 8, "maximum alignment")
    guard bytes.littleEndian(at: Offset.floatFormat) == (1_234_567.0 as Double).bitPattern else {
      throw FormatError(
        .unsupportedBuild, "the cluster's floating-point format differs from this machine's")
    }
    try require(Offset.blockSize, 8192, "block size")
    try require(Offset.relationSegmentBlocks, 131_072, "relation segment size in blocks")
    try require(Offset.walBlockSize, 8192, "WAL block size")
    guard walSegmentSize.nonzeroBitCount == 1, (1 << 20...1 << 30).contains(walSegmentSize) else {
      throw FormatError(
        .unsupportedBuild,
        "WAL segment size \(walSegmentSize) is not a power of two from 1 MiB to 1 GiB")
    }
    try require(Offset.nameLength, 64, "length of names")
    try require(Offset.indexKeys, 32, "maximum number of index keys")
    try require(Offset.toastChunkSize, 1996, "TOAST chunk size")
    try require(Offset.largeObjectChunkSize, 2048, "large object chunk size")
    guard bytes[Offset.valuesOf8BytesByValue] == 1 else {
      throw Self.other32Bit
    }
  }

  /// Whether the CRC is right at another offset: where 8-byte values are aligned at 4 bytes, as in
  /// builds for 32-bit x86, the file is the same but for its gaps.
  static func hasChecksumElsewhere(_ bytes: RawSpan) -> Bool {
    stride(from: Offset.walLevel, to: 2 * Offset.checksum, by: 4).contains { offset in
      bytes.littleEndian(at: offset, as: UInt32.self)
        == CRC32C.checksum(of: bytes.extracting(0..<offset))
    }
  }

  /// The error of a cluster whose rows are laid out for 32-bit machines.
  static var other32Bit: FormatError {
    FormatError(
      .unsupportedBuild, "the cluster is of a 32-bit build of Postgres, whose files differ",
      hint: "Move its data to a 64-bit Postgres with pg_dumpall and psql.")
  }

  private func require(_ offset: Int, _ expected: UInt32, _ name: String) throws(FormatError) {
    let value: UInt32 = bytes.littleEndian(at: offset)
    guard value == expected else {
      throw FormatError(
        .unsupportedBuild, "\(name) is \(value) instead of \(expected)",
        hint: "The cluster belongs to a Postgres that was built with other limits. Move its data "
          + "to one with the default limits with pg_dumpall and psql.")
    }
  }

  static func requireKnown(controlFileVersion: UInt32) throws(FormatError) {
    let other: String
    switch controlFileVersion {
    case 1300, 1700: return
    case 1800: other = "18"
    case 1201: other = "12"
    case 1100: other = "11"
    case 1002: other = "10"
    case 960: other = "9.6"
    case 0:
      throw .damaged("the control file has no version")
    case let version where version & 0xFFFF == 0:
      throw FormatError(
        .unsupportedBuild, "the cluster was written by a big-endian machine",
        hint: "Move its data to a little-endian machine with pg_dumpall and psql.")
    default:
      throw FormatError(
        .unsupportedVersion, "unknown version: control file version \(controlFileVersion)",
        hint: PostgresVersion.supportedVersionsHint)
    }
    throw FormatError(
      .unsupportedVersion, "Postgres version \(other) is not supported",
      hint: PostgresVersion.supportedVersionsHint)
  }

  static func unsupported(catalogVersion: UInt32) -> FormatError {
    let message =
      catalogVersion == 2020_07_201
      ? "Postgres version 13 is not supported"
      : "unknown version: catalog version \(catalogVersion)"
    return FormatError(
      .unsupportedVersion, message, hint: PostgresVersion.supportedVersionsHint)
  }
}

/// The first fields of a control file, which are the same in every version of Postgres.
///
///     OFFSET SIZE MEANING                     all little-endian
///          0    8 system identifier
///          8    4 control file version
///         12    4 catalog version
///         16    4 state
///
/// Used to describe a cluster that cannot be imported. Only the length is checked.
/// (Postgres, `src/include/catalog/pg_control.h`)
public struct ControlFileIdentity: Sendable {
  /// The system identifier of the cluster.
  public let systemIdentifier: UInt64
  /// The control file version, which is not 0.
  public let controlFileVersion: UInt32
  /// The catalog version.
  public let catalogVersion: UInt32
  /// What the cluster was doing when the file was written.
  public let state: ClusterState

  /// Reads the fields; nil if the length of the file is wrong or its version is 0.
  public init?(decoding bytes: RawSpan) {
    guard bytes.byteCount == ControlFile.byteCount else { return nil }
    systemIdentifier = bytes.littleEndian(at: ControlFile.Offset.systemIdentifier)
    controlFileVersion = bytes.littleEndian(at: ControlFile.Offset.version)
    catalogVersion = bytes.littleEndian(at: ControlFile.Offset.catalogVersion)
    state = ClusterState(rawValue: bytes.littleEndian(at: ControlFile.Offset.state))
    guard controlFileVersion != 0 else { return nil }
  }
}
