/// What a verification reads, and how.
public struct VerifyOptions: Sendable {
  /// The directory of the timeline, where its `index_part.json-<generation>` lies.
  public var timeline: String

  /// A backup to compare with: a path, or `-` for standard input; nil for none.
  public var backup: String?

  /// Leading directories to drop from every name in the backup.
  public var stripComponents = 0

  /// How many batches are decompressed at once; nil for one a processor.
  public var jobs: Int?

  /// More jobs than this are no use, as one thread reads for all, and would take memory.
  static let usefulJobs = 32

  public init(timeline: String) {
    self.timeline = timeline
  }
}
