import Foundation

/// The files under `Tests/Fixtures`, found from this file's own place.
public enum Fixture {
  private static let directory = URL(filePath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().appending(path: "Fixtures")

  /// The fixture's path; it is not checked to be there.
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
  /// A program's standard output; throws when it ends with anything but 0.
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

  public struct ProgramFailure: Error {
    public var program: String
    public var status: Int32
  }
}

/// A directory of a test's own, removed with everything in it when the test lets go of it.
public final class TemporaryDirectory: Sendable {
  public let path: String

  /// Makes the directory; `inMemory` says that it need not survive anything and shall be fast.
  public init(inMemory: Bool = false) throws {
    let memory = "/dev/shm"
    let parent =
      inMemory && FileManager.default.isWritableFile(atPath: memory)
      ? URL(filePath: memory) : URL.temporaryDirectory
    let url = parent.appending(path: "import-backup-test-\(UUID())")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    path = url.path(percentEncoded: false)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// Every file below the directory with its contents, by its path from there.
  public func files() throws -> [String: [UInt8]] {
    var files: [String: [UInt8]] = [:]
    for name in try FileManager.default.subpathsOfDirectory(atPath: path) {
      let url = URL(filePath: path).appending(path: name)
      if let contents = try? Data(contentsOf: url) { files[name] = Array(contents) }
    }
    return files
  }
}
