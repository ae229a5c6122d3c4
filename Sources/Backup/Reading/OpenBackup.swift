import Pipeline
import System

/// Opens the backup at `path`, a data directory or a tar (`-` for one on standard input), and waits
/// for its first bytes.
///
/// - Parameters:
///   - parts: the other tars of a backup in several, in the order in which they are read.
///   - origin: whether a tar was found, and has to be a regular file.
///   - bufferCount: the buffers of 1 MiB that hold what was read, those that `borrow` gives out
///     included.
///   - contents: what is read of a directory; a tar gives all in any case.
///   - linked: the directories that are read in the place of links, by the paths of the links.
///   - sizeLimit: what it may unpack to.
///   - progress: counts what is read.
///   - report: gets that a server runs in a directory, which is then read all the same, as is one with a
///     file that is refused in any case.
///   - failure: what ends the wait for the input, if it is noted.
/// - Throws: as the sources do, and `.usage` if names of a directory are to be stripped.
package func openBackup(
  _ path: String, and parts: [String] = [], _ origin: InputOrigin = .named,
  strippingComponents count: Int,
  bufferCount: Int = ReadAhead.leastBufferCount, contents: DirectoryContents = .stored,
  linked: [String: DirectoryHandle] = [:],
  sizeLimit: SizeLimit? = nil, report: ReportWhileReading? = nil,
  progress: InputProgress = InputProgress(), failure: FirstFailure = FirstFailure()
) throws(Failure) -> any BackupSource {
  guard parts.isEmpty else {
    return try BackupParts([path] + parts, progress: progress) { path throws(Failure) in
      try TarReader(
        path: path, origin, bufferCount: bufferCount, sizeLimit: sizeLimit, progress: progress,
        failure: failure)
    }
  }
  guard isDirectory(path) else {
    return try TarReader(
      path: path, origin, bufferCount: bufferCount, sizeLimit: sizeLimit, progress: progress,
      failure: failure)
  }
  guard count == 0 else {
    throw Failure(
      .optionNotApplicable, "'--strip-components' is for tars, but \(path.quoted) is a directory",
      hint: "Give the data directory itself, without '--strip-components'.")
  }
  return try DirectoryReader(
    path: path, bufferCount: bufferCount, contents: contents, linked: linked,
    sizeLimit: sizeLimit, report: report, progress: progress, failure: failure)
}
