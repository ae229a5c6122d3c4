import Glibc

/// The directories that were made on the way to one, so that they can be taken away again.
package struct MadeDirectories {
  /// The outermost first.
  package private(set) var paths: [String] = []

  /// None yet.
  package init() {}

  /// Every directory on the way to `path`, the outermost first and `path` itself last.
  package static func chain(to path: String) -> [String] {
    var prefix = path.hasPrefix("/") ? "/" : ""
    return path.split(separator: "/").map { component in
      prefix += prefix.isEmpty || prefix.hasSuffix("/") ? component : "/" + component
      return prefix
    }
  }

  /// Makes what is not there on the way to `path`; the last `privateCount` of it are for their
  /// owner alone.
  package mutating func make(_ path: String, privateCount: Int = 0) throws(Failure) {
    let chain = Self.chain(to: path)
    for (index, directory) in chain.enumerated() {
      let mode: mode_t = index >= chain.count - privateCount ? 0o700 : 0o755
      if try SystemCalls.makeDirectory(directory, mode: mode) { paths.append(directory) }
    }
  }

  /// Makes their names durable.
  package func sync() throws(Failure) {
    for path in paths { try SystemCalls.syncDirectory(SystemCalls.parent(of: path)) }
  }

  /// Removes those that hold nothing, as far as that is possible.
  package mutating func remove() {
    for directory in paths.reversed() { unsafe _ = rmdir(directory) }
    paths = []
  }
}
