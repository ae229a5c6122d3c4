import Glibc
import PostgresFormat

/// Where a result goes, a backup or a picture.
public enum OutputTarget: Equatable, Sendable {
  /// Standard output, which must not be a terminal if the result is a tar.
  case standardOutput
  /// A file, which appears under its name when it is complete and durable. One of that name is
  /// replaced.
  case file(String)
  /// The same, but a file of that name is not to be touched.
  case newFile(String)
}

/// The bytes of a result, a tar or a picture, on their way out.
///
/// ```
/// standard output, device, pipe    write(2), as they come
/// any other file                   FILE.<random>.export-temp, fsync, rename, fsync of the directory
/// ```
///
/// Used by one thread at a time. Keeps the first failure, which libarchive cannot pass on.
package final class FileDestination {
  private enum Target {
    case stream(Descriptor)
    case file(OutputFile, finalName: String, in: DirectoryHandle)
  }

  private let target: Target
  private let subject: String
  private var isCommitted = false

  /// Whether nothing more is to be written: `write` fails from then on.
  package var isAbandoned = false

  /// Why a write failed.
  package private(set) var failure: Failure?

  /// The bytes written so far.
  package private(set) var byteCount: UInt64 = 0

  /// Opens the output; throws `.cannotCreate` if that is impossible.
  ///
  /// Unless `mode` says otherwise nobody else may read a file: a backup holds what the database
  /// holds, password hashes included.
  package init(_ output: OutputTarget, mode: mode_t = 0o600) throws(Failure) {
    switch output {
    case .standardOutput:
      target = .stream(SystemCalls.openStandardOutput())
      subject = "to standard output"
    case .file(let path), .newFile(let path):
      subject = path.quoted
      target = try Self.open(path, mode: mode, replaces: output == .file(path))
    }
  }

  /// Only a regular file is written under another name first: one that takes the place of a device
  /// would be no help to anybody.
  private static func open(
    _ path: String, mode: mode_t, replaces: Bool
  ) throws(Failure) -> Target {
    var status = stat()
    if unsafe stat(path, &status) == 0 {
      switch status.st_mode & S_IFMT {
      case S_IFREG:
        guard replaces else {
          throw Failure(
            .outputExists, "file \(path.quoted) already exists",
            hint: "Choose another name, or replace the file with '--force'.")
        }
      case S_IFDIR: throw SystemCalls.failure(.create, path, EISDIR)
      case S_IFIFO: return .stream(try SystemCalls.openStream(path, isPipe: true))
      default: return .stream(try SystemCalls.openStream(path, isPipe: false))
      }
    }
    let name = SystemCalls.name(of: path)
    let directory = try DirectoryHandle(
      forWritingTo: SystemCalls.parent(of: path), named: path)
    // Nobody can guess the name, and put a link or a file of theirs in its place.
    let number = UInt64.random(in: .min ... .max).hexadecimal(16, uppercase: false)
    let file = try OutputFile(
      creating: "\(name).\(number).export-temp", in: directory, shown: path, mode: mode,
      reserve: SpaceReserve(directory, option: nil))
    return .file(file, finalName: name, in: directory)
  }

  deinit {
    if !isCommitted, case .file(let file, _, _) = target { try? file.unlink() }
  }

  /// Writes all of `bytes`; false if that failed now or before, or was abandoned.
  package func write(_ bytes: RawSpan) -> Bool {
    guard failure == nil, !isAbandoned else { return false }
    do throws(Failure) {
      switch target {
      case .stream(let descriptor): try SystemCalls.append(bytes, to: descriptor, subject)
      case .file(let file, _, _): try file.write(bytes, at: byteCount)
      }
    } catch {
      failure = error
      return false
    }
    byteCount += UInt64(bytes.byteCount)
    return true
  }

  /// Makes a file durable and gives it its name; if the name cannot be made durable, it is
  /// removed.
  package func commit() throws(Failure) {
    guard case .file(let file, let finalName, let directory) = target else { return }
    try file.makeDurable()
    try file.rename(to: finalName)
    isCommitted = true
    do throws(Failure) {
      try directory.sync()
    } catch {
      try? directory.remove(DirectoryHandle.name(finalName))
      throw error
    }
  }
}
