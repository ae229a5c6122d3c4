import PostgresFormat
import System

/// Where a recovery is to end, if not at the end of the WAL. (Postgres documentation, "Recovery
/// Target")
public struct RecoveryTarget: Equatable, Sendable {
  /// What the target is given by; the raw value is its name on the command line.
  public enum Kind: String, CaseIterable, Sendable {
    /// A time: the last commit before it, or at it.
    case time
    /// A position in the WAL.
    case lsn
    /// A transaction.
    case xid
    /// A restore point, as `pg_create_restore_point` makes it.
    case name
    /// As soon as the backup is consistent.
    case immediate
  }

  /// What the target is given by.
  public let kind: Kind
  /// The time, position, transaction or name as Postgres takes it; empty for `immediate`.
  public let value: String

  /// Reads `KIND=VALUE`, or `immediate`; nil for anything else.
  public init?(_ text: String) {
    let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    guard let kind = Kind(rawValue: String(parts[0])) else { return nil }
    let value = parts.count == 2 ? String(parts[1]) : ""
    guard value.isEmpty == (kind == .immediate), !value.utf8.contains(where: { $0 < 0x20 }) else {
      return nil
    }
    self.kind = kind
    self.value = value
  }

  /// Whether a time says of which zone it is: by an offset, a name or `Z` after the time of day.
  ///
  /// Postgres takes one without as of its setting `timezone`, which the cluster's own settings have, and a
  /// recovery does not read these. (Postgres documentation, "Date/Time Input")
  public static func hasZone(_ time: String) -> Bool {
    guard let colon = time.firstIndex(of: ":") else { return false }
    var rest = time[colon...].drop { $0.isNumber || ":. ".contains($0) }
    if ["am", "pm"].contains(rest.prefix(2).lowercased()) {
      rest = rest.dropFirst(2).drop { $0 == " " }
    }
    return !rest.isEmpty
  }

  /// The settings of a server that recovers up to here, and then ends the recovery.
  var settings: [String: String] {
    let name = kind == .immediate ? "recovery_target" : "recovery_target_\(kind.rawValue)"
    return [
      name: kind == .immediate ? "immediate" : value, "recovery_target_action": "promote",
    ]
  }
}
