import Glibc
import PostgresFormat

/// What to look at, and at what in it.
public struct InspectOptions: Sendable {
  /// A backup, `-` for one on standard input, or the directory of a timeline.
  public var path: String

  /// Leading directories to drop from every name in a backup.
  public var stripComponents = 0

  /// A key of a timeline, 36 hexadecimal digits, whose value is to be shown.
  public var key: String?

  /// A layer of a timeline whose entries are to be listed: its name, with or without a generation,
  /// or its number in the list of layers.
  public var layer: String?

  public init(path: String) { self.path = path }
}

/// What was found.
public enum Inspection: Sendable {
  case backup(BackupDescription)
  case timeline(TimelineDescription)
}

/// Looks into a backup or a timeline, which is told by what lies at the path.
///
/// A backup is read once, from its start to its end, pages passed over. Of a timeline the index,
/// every layer's own index, and the values of delta layers are read. Throws where the path leads
/// to neither, where a backup is no whole tar, and where a timeline has no index that can be read;
/// what is wrong beyond that is part of the description.
public func inspect(_ options: InspectOptions) throws(ImportError) -> Inspection {
  guard isDirectory(options.path) else {
    guard options.key == nil && options.layer == nil else {
      throw ImportError(
        .usage, "a backup has neither keys nor layers, and \(inputSubject(options.path)) is one",
        hint: "Give the directory of a timeline.")
    }
    return .backup(
      try BackupInspector.inspect(options.path, strippingComponents: options.stripComponents))
  }
  try refuseDataDirectory(options.path)
  return .timeline(try TimelineInspector(options).describe())
}

private func isDirectory(_ path: String) -> Bool {
  guard path != "-" else { return false }
  var status = stat()
  // Invariant: the path is a C string for the call, which fills the structure.
  return unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
}

/// Says what to do with a cluster's own directory, which is easily taken for a backup.
private func refuseDataDirectory(_ path: String) throws(ImportError) {
  guard unsafe access(path + "/PG_VERSION", F_OK) == 0 else { return }
  throw ImportError(
    .cannotOpen, "\(path.quoted) is a data directory, neither a backup nor a timeline",
    hint: "A backup is read as one tar. Make it with 'tar -C DIRECTORY -cf BACKUP .'.")
}
