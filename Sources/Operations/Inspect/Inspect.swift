import Backup
import ObjectStore
import Pipeline
import System
import Timeline

/// What to look at, and at what in it.
public struct InspectOptions: Sendable {
  /// A backup, `-` for one on standard input, a data directory, the directory that pg_basebackup
  /// wrote its tars to, or the directory of a timeline, which may also be `s3://BUCKET/PREFIX`.
  public var path: String

  /// How the object store is reached that the timeline is in.
  public var store = StoreOptions()

  /// Leading directories to drop from every name in a backup.
  public var stripComponents = 0

  /// The most that a backup may unpack to, in bytes; nil for anything.
  public var sizeLimit: UInt64?

  /// A key of a timeline, 36 hexadecimal digits, whose value is to be shown.
  public var key: String?

  /// A layer of a timeline whose entries are to be listed: its name, with or without a generation,
  /// or its number in the list of layers.
  public var layer: String?

  /// Options for the whole of what is at the path, without a key or a layer.
  public init(path: String) { self.path = path }
}

/// What was found.
public enum Inspection: Sendable {
  /// The path leads to a backup, which need not be one that can be imported.
  case backup(BackupDescription)
  /// The path leads to a timeline.
  case timeline(TimelineDescription)
}

/// Inspects a backup or a timeline, which is recognised by the contents of the path.
///
/// A backup is read once, from its start to its end, pages passed over. Of a timeline the index,
/// every layer's own index, and the values of delta layers are read. Throws if the path leads
/// to neither, if a backup is no whole tar, and if a timeline has no index that can be read;
/// what is wrong beyond that is part of the description.
public func inspect(
  _ options: InspectOptions, progress: RunProgress? = nil
) throws(Failure) -> Inspection {
  let start = ContinuousClock.now
  switch try inspection(options, progress) {
  case .backup(var backup):
    backup.seconds = (ContinuousClock.now - start) / .seconds(1)
    return .backup(backup)
  case .timeline(var timeline):
    timeline.seconds = (ContinuousClock.now - start) / .seconds(1)
    return .timeline(timeline)
  }
}

private func inspection(
  _ options: InspectOptions, _ progress: RunProgress?
) throws(Failure) -> Inspection {
  if StoreLocation.isMeant(by: options.path)
    || TenantPath(TenantPath.withoutShard(options.path)) != nil
  {
    return .timeline(try TimelineInspector(options).describe(progress))
  }
  guard isDirectory(options.path), !isDataDirectory(options.path),
    case .directory = try OnlineBackup(at: options.path)
  else {
    guard options.key == nil && options.layer == nil else {
      throw Failure(
        .optionNotApplicable,
        "a backup has neither keys nor layers, and \(inputSubject(options.path)) is a backup",
        hint: "Give the directory of a timeline.")
    }
    do throws(Failure) {
      return .backup(
        try BackupInspector.inspect(
          options.path, strippingComponents: options.stripComponents,
          sizeLimit: SizeLimit(options.sizeLimit), progress: progress))
    } catch {
      throw Interruption.cause(of: error, reading: options.path)
    }
  }
  return .timeline(try TimelineInspector(options).describe(progress))
}
