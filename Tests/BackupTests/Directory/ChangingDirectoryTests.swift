import Foundation
import TestSupport
import Testing

@testable import Backup
@testable import Pipeline
@testable import System

/// Directories that change while they are read.
///
/// The reading thread is a known way ahead: what lies further behind than its buffers hold has not
/// been looked at when the first member is there.
@Suite struct ChangingDirectoryTests {
  private static let readAheadByteCount = ReadAhead.bufferSize * (ReadAhead.leastBufferCount + 1)

  private static func directory() throws -> TemporaryDirectory {
    let directory = try TemporaryDirectory()
    let large = [UInt8](repeating: 7, count: 2 * readAheadByteCount)
    try TestTar([
      .init("PG_VERSION", contents: Array("15\n".utf8)),
      .init("global/pg_control", contents: [UInt8](repeating: 1, count: 8192)),
      .init("base/5/1000", contents: large),
    ]).unpack(into: directory.path)
    // More small files than are opened before their turn.
    let small = (1001...1100).map { TestTar.Member("base/5/\($0)", contents: [8, 9]) }
    try TestTar(small).unpack(into: directory.path)
    return directory
  }

  /// The error that reading ends with when `change` happens at the member of that name, of which a
  /// page was read.
  private static func error(
    at name: String, _ contents: DirectoryContents = .stored, _ change: (String) throws -> Void
  ) throws -> Failure? {
    let directory = try directory()
    let reader = try DirectoryReader(path: directory.path, contents: contents)
    var buffer = [UInt8](repeating: 0, count: 8192)
    do {
      while let member = try reader.nextMember() {
        guard member.name == name else { continue }
        if contents == .stored { #expect(try read(reader, into: &buffer) > 0) }
        try change(directory.path + "/")
      }
      return nil
    } catch let error as Failure {
      // The error stays.
      #expect(throws: error) { try reader.nextMember() }
      return error
    }
  }

  private static func expect(
    _ error: Failure?, _ name: String, location: SourceLocation = #_sourceLocation
  ) {
    #expect(error?.exitCode == .damaged, sourceLocation: location)
    #expect(
      error?.message.hasSuffix("/\(name)' changed or disappeared while the directory was read")
        == true, "\(error?.message ?? "none")", sourceLocation: location)
    #expect(error?.hint != nil, sourceLocation: location)
  }

  /// Goal: a file that goes, or gets another length or other bytes while it is read, is named.
  /// Method: change the one that is being read, and one that comes behind it.
  @Test func files() throws {
    let open = "base/5/1000"
    #expect(try Self.error(at: open) { _ in } == nil)
    Self.expect(
      try Self.error(at: open) { unsafe truncate($0 + open, off_t(Self.readAheadByteCount)) }, open)
    Self.expect(
      try Self.error(at: open) { path in
        let file = try FileHandle(forWritingTo: URL(filePath: path + open))
        try file.seekToEnd()
        try file.write(contentsOf: [1])
      }, open)
    Self.expect(
      try Self.error(at: open) { path in
        let file = try FileHandle(forWritingTo: URL(filePath: path + open))
        try file.write(contentsOf: [1])
      }, open)
    Self.expect(
      try Self.error(at: open) { try FileManager.default.removeItem(atPath: $0 + "base/5/1100") },
      "base/5/1100")
  }

  /// Goal: a server that starts meanwhile is noticed at the end, also one that has stopped again.
  /// Method: write the file that it leaves while it runs, and the control file as it was.
  @Test func server() throws {
    let process = Process()
    let input = Pipe()
    process.executableURL = URL(filePath: "/bin/cat")
    process.standardInput = input
    let running = try Self.error(at: "base/5/1000") { path in
      process.currentDirectoryURL = URL(filePath: path)
      try process.run()
      try Data("\(process.processIdentifier)\n".utf8).write(
        to: URL(filePath: path + "postmaster.pid"))
    }
    #expect(running?.exitCode == .unsupported)
    #expect(running?.message.contains("a server is running in the data directory") == true)
    try input.fileHandleForWriting.close()
    process.waitUntilExit()

    let stopped = try Self.error(at: "base/5/1000") { path in
      let file = try FileHandle(forWritingTo: URL(filePath: path + "global/pg_control"))
      try file.write(contentsOf: [UInt8](repeating: 1, count: 8192))
    }
    Self.expect(stopped, "global/pg_control")
  }

  /// Goal: a look at what there is does not read pages. Method: all sizes are given, and only the
  /// small files are read.
  @Test func smallFilesOnly() throws {
    let directory = try Self.directory()
    let reader = try DirectoryReader(path: directory.path, contents: .smallFiles)
    let members = try readAll(reader)
    let relation = try #require(members.first { $0.member.name == "base/5/1001" })
    #expect(relation.member.byteCount == 2 && relation.contents.isEmpty)
    #expect(reader.inputBytesRead == 8195)
  }
}
