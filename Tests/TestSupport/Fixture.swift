import Foundation

/// The files under `Tests/Fixtures`, found relative to this file.
public enum Fixture {
  private static let directory = URL(filePath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().appending(path: "Fixtures")

  /// The path of a fixture, which may not exist.
  public static func path(_ name: String) -> String {
    directory.appending(path: name).path(percentEncoded: false)
  }

  /// The contents of `<name>.zst`, decompressed by the zstd program.
  public static func bytes(_ name: String) throws -> [UInt8] {
    try Shell.output("zstd", "--decompress", "--stdout", "--long=27", path(name + ".zst"))
  }

  /// The lines of `<name>.zst`, without the last, empty one.
  public static func lines(_ name: String) throws -> [Substring] {
    String(decoding: try bytes(name), as: UTF8.self).split(separator: "\n")
  }
}

/// Programs that tests run.
public enum Shell {
  /// The standard output of a program; throws if its exit code is not 0.
  public static func output(
    _ program: String, _ arguments: String..., directory: String? = nil
  ) throws -> [UInt8] {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = [program] + arguments
    if let directory { process.currentDirectoryURL = URL(filePath: directory) }
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    let bytes = try output.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      throw ProgramFailure(program: program, status: process.terminationStatus)
    }
    return Array(bytes)
  }

  /// Whether strace is installed, and may trace (containers often forbid it).
  public static let canTrace = (try? output("strace", "-o", "/dev/null", "true")) != nil

  /// A program ended with an exit code other than 0.
  public struct ProgramFailure: Error {
    /// The program's name, as it was given.
    public var program: String
    /// The exit code, or the number of the signal that ended it.
    public var status: Int32
  }
}

/// A temporary directory, removed with everything in it when it is released.
public final class TemporaryDirectory: Sendable {
  /// The directory's path, without a slash at its end.
  public let path: String

  /// Creates the directory; with `inMemory` in a tmpfs, which is faster, with `onDisk` never there.
  public init(inMemory: Bool = false, onDisk: Bool = false) throws {
    let memory = "/dev/shm"
    let parent =
      onDisk
      ? URL(filePath: "/var/tmp")
      : inMemory && FileManager.default.isWritableFile(atPath: memory)
        ? URL(filePath: memory) : URL.temporaryDirectory
    let url = parent.appending(path: "import-backup-test-\(UUID())")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    path = url.path(percentEncoded: false)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// The contents of every file below the directory, by relative path.
  public func files() throws -> [String: [UInt8]] {
    var files: [String: [UInt8]] = [:]
    for name in try FileManager.default.subpathsOfDirectory(atPath: path) {
      let url = URL(filePath: path).appending(path: name)
      if let contents = try? Data(contentsOf: url) { files[name] = Array(contents) }
    }
    return files
  }
}
