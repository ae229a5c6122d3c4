/// What helps if a path that a person gave leads to nothing.
enum MissingPath {
  /// If a directory has more names than this, they are not compared.
  private static let nameLimit = 10_000

  /// What to say of a path that was to be read: the directory on the way that is not there, or a similar
  /// name in the last one; nil if there is neither.
  static func hint(reading path: String) -> String? {
    if let missing = missingDirectory(onTheWayTo: path) { return "\(missing). Check the path." }
    let name = SystemCalls.name(of: path)
    guard let names = try? SystemCalls.names(in: SystemCalls.parent(of: path), for: .listInput),
      names.count <= nameLimit, let near = Suggestion.nearest(to: name, among: names)
    else { return nil }
    return "Did you mean \((path.dropLast(name.count) + near).quoted)?"
  }

  /// What to say of a file that was to be created: the directory on the way that is not there.
  static func hint(creating path: String) -> String? {
    missingDirectory(onTheWayTo: path).map { "\($0). Create the directory, or give another path." }
  }

  private static func missingDirectory(onTheWayTo path: String) -> String? {
    MadeDirectories.chain(to: SystemCalls.parent(of: path)).first { !isDirectory($0) }.map {
      SystemCalls.exists($0)
        ? "\($0.quoted) is not a directory" : "Directory \($0.quoted) does not exist"
    }
  }
}
