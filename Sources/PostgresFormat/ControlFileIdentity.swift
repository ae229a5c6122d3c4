/// The fields at the front of a control file, which stand there in every version of Postgres.
///
///     OFFSET SIZE MEANING                     all little-endian
///          0    8 system identifier
///          8    4 control file version
///         12    4 catalog version
///         16    4 state
///
/// For telling what a cluster is that cannot be imported. Nothing is checked but the length.
/// (Postgres, `src/include/catalog/pg_control.h`)
public struct ControlFileIdentity: Sendable {
  public let systemIdentifier: UInt64
  public let controlFileVersion: UInt32
  public let catalogVersion: UInt32
  public let state: ClusterState

  /// Reads the fields; nil where the file is no control file by its length or has no version.
  public init?(decoding bytes: RawSpan) {
    guard bytes.byteCount == ControlFile.byteCount else { return nil }
    systemIdentifier = bytes.littleEndian(at: ControlFile.Offset.systemIdentifier)
    controlFileVersion = bytes.littleEndian(at: ControlFile.Offset.version)
    catalogVersion = bytes.littleEndian(at: ControlFile.Offset.catalogVersion)
    state = ClusterState(rawValue: bytes.littleEndian(at: ControlFile.Offset.state))
    guard controlFileVersion != 0 else { return nil }
  }
}
