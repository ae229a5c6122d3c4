import Backup
import PostgresFormat
import System

/// What an import would do, and everything for which it would be refused.
///
/// The JSON object has the fields of `ImportSummary`, as far as they are known, and these.
public struct ImportForecast: Codable, Sendable {
  /// A reason for which the import would be refused.
  public struct Reason: Codable, Equatable, Sendable {
    /// The code of the error.
    public var code: String
    /// The exit code that an import with this reason alone ends with.
    public var exitCode: Int32
    /// One line: lower case, no final period.
    public var error: String
    /// What to do about it, in full sentences; nil if there is nothing to do.
    public var hint: String?

    init(_ failure: Failure) {
      code = failure.code.rawValue
      exitCode = failure.exitCode.rawValue
      error = failure.message
      hint = failure.hint
    }
  }

  /// What a recovery would need, which is not run.
  public struct Recovery: Codable, Equatable, Sendable {
    /// The directory of the Postgres programs.
    public var programs: String
    /// The directory that the scratch directory would be made in.
    public var scratchParent: String
    /// How many bytes the scratch directory would take at least.
    public var scratchByteCount: UInt64
    /// The tar of WAL that was given.
    public var writeAheadLog: String?
    /// What Postgres would run for WAL that the backup does not have.
    public var restoreCommand: String?
  }

  /// What the import would say of itself; sizes and numbers of layers are about right.
  public var summary = ImportSummary()
  /// Whether the backup was read to its end; what is after a damaged place is not known.
  public var isComplete = false
  /// At most 1,000 reasons, in the order of an import.
  public var reasons: [Reason] = []
  /// How many reasons there are; may be more than are listed.
  public var reasonCount: UInt64 = 0
  /// What a recovery would need; nil if none was asked for.
  public var recovery: Recovery?

  /// A forecast of nothing yet.
  public init() {}

  private enum Key: String, CodingKey {
    case dryRun, isComplete, reasons, reasonCount, recovery
  }

  /// The fields of the summary, and those of the forecast.
  public func encode(to encoder: any Encoder) throws {
    try summary.encode(to: encoder)
    var container = encoder.container(keyedBy: Key.self)
    try container.encode(true, forKey: .dryRun)
    try container.encode(isComplete, forKey: .isComplete)
    try container.encode(reasons, forKey: .reasons)
    try container.encode(reasonCount, forKey: .reasonCount)
    try container.encodeIfPresent(recovery, forKey: .recovery)
  }

  /// Reads what `encode` writes.
  public init(from decoder: any Decoder) throws {
    summary = try ImportSummary(from: decoder)
    let container = try decoder.container(keyedBy: Key.self)
    isComplete = try container.decode(Bool.self, forKey: .isComplete)
    reasons = try container.decode([Reason].self, forKey: .reasons)
    reasonCount = try container.decode(UInt64.self, forKey: .reasonCount)
    recovery = try container.decodeIfPresent(Recovery.self, forKey: .recovery)
  }

  /// The order in which exit codes decide: what cannot be read, what is wrong with the backup, what
  /// is not supported, then the output.
  private static let severity: [ExitCode] = [
    .usage, .cannotOpen, .damaged, .unsupported, .inUse, .cannotCreate, .inputOutput,
  ]

  /// The error that a dry run ends with: it has the code of the worst reason, of several that are
  /// equally bad the first; nil if the backup can be imported.
  public var failure: Failure? {
    let ranked = reasons.compactMap { reason in
      ErrorCode(rawValue: reason.code).map { code in
        (code: code, rank: Self.severity.firstIndex(of: code.exitCode) ?? Self.severity.count)
      }
    }
    guard let worst = ranked.min(by: { $0.rank < $1.rank }) else { return nil }
    let count = reasonCount == 1 ? "1 reason" : "\(reasonCount) reasons"
    return Failure(worst.code, "the import would be refused for \(count)")
  }
}
