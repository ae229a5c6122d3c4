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
