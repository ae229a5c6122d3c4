import PostgresFormat

/// The grammar of a timeline's key space as an import leaves it: which keys there are, in which
/// order, and what promises each of them.
///
/// ```
/// KEYS IN ASCENDING ORDER                    PROMISED BY
/// database directory                         always
/// for each database, shared relations last
///   relation map                             database directory, if its flag is set
///   relation directory                       database directory
///   for each relation fork
///     block 0 … block n - 1                  the fork's size
///     size: n                                relation directory
/// for each of the three SLRUs
///   SLRU directory                           always
///   for each segment
///     block 0 … block n - 1                  the segment's size, 32 at most
///     size: n                                SLRU directory
/// two-phase directory                        always
///   two-phase file of each transaction       two-phase directory
/// control file                               always
/// checkpoint                                 always
/// statistics file                            nothing: it may be absent
/// replication origin of each id              nothing
/// ```
///
/// Every key has exactly one value, and every list comes before what it promises; a size alone
/// comes after its blocks. So the key space is written and read as a stream. To a pageserver a key
/// that nothing promises does not exist: a timeline that has been written on keeps such keys, those
/// of dropped relations for example.
///
/// - `Cluster` is what the values say, all but the pages.
/// - `KeyspaceWriter` makes the values of a cluster, for an import and for a comparison.
/// - `KeyspaceRules` checks that keys and values follow this grammar, for a verification; what does
///   not is a `KeyspaceFault`.
/// - `KeyspaceReader` makes a cluster of the values, for an export.
///
/// (Neon, `pageserver/src/pgdatadir_mapping.rs`; Docs/format.md, Keys and Values)
public enum Keyspace {
  /// The keys that exist in every timeline, in ascending order.
  static let always: [Key] =
    ([.databaseDirectory] + SLRUKind.allCases.map { KeyMeaning.slruDirectory($0) }
    + [.twoPhaseDirectory, .controlFile, .checkpoint]).map { Key($0) }.sorted()
}
