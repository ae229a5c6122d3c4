import PostgresFormat
import Synchronization
import System

/// Gets the server the WAL that it asks for, by the user's command.
///
/// The server is in a sandbox, in which the user's command would find no archive, and where nothing
/// of the user's has a place. So its `restore_command` only writes the file's name to a pipe, and
/// takes the file's contents from another one; the command itself runs here, with the environment
/// and the working directory of this program.
///
/// ```
///  server ─► restore_command ─► requests: NAME RESTART-NAME ─► user's command ─► archive/NAME
///                 pg_wal ◄───── answers: SIZE, contents; or - ◄─── check ◄──────────┘
/// ```
///
/// Every segment is decoded before the server gets it.
final class RestoreChannel: Sendable {
  private let command: String
  private let scratch: ScratchDirectory
  private let control: ControlFile
  private let requests: NamedPipe
  private let answers: NamedPipe
  private let requested: @Sendable (WALSegmentName) -> Void
  private let state = Mutex((isEnded: false, isFetching: false, failure: Failure?.none))

  /// Creates the pipes; `command` is what `restore_command` would be in Postgres. `requested` gets
  /// the name of every segment that the server asks for.
  init(
    command: String, scratch: ScratchDirectory, control: ControlFile,
    requested: @escaping @Sendable (WALSegmentName) -> Void = { _ in }
  ) throws(Failure) {
    self.command = command
    self.scratch = scratch
    self.control = control
    self.requested = requested
    requests = try NamedPipe(creating: scratch.channel + "/requests", mode: 0o622)
    answers = try NamedPipe(creating: scratch.channel + "/answers", mode: 0o644)
  }

  /// The server's setting, which a shell in the sandbox runs; `directory` is the channel's there.
  ///
  /// An exit code from 1 to 125 tells the server that there is no such file.
  static func setting(in directory: String) -> String {
    """
    echo "%f %r" > \(directory)/requests && \
    { read -r size && test "$size" != - && head -c "$size" > "%p"; } < \(directory)/answers
    """
  }

  /// Runs `body` and answers what is asked meanwhile.
  ///
  /// `body` gets a function that throws if the channel has failed, and is called while it waits.
  func serve<Value>(
    during body: (_ check: () throws(Failure) -> Void) throws(Failure) -> Value
  ) throws(Failure) -> Value {
    let thread = try NamedThread("restore") { [self] in run() }
    defer {
      state.withLock { $0.isEnded = true }
      thread.join()
    }
    return try body { () throws(Failure) in
      if let failure = state.withLock({ $0.failure }) { throw failure }
    }
  }

  /// Whether the user's command runs now, for which the server waits.
  var isFetching: Bool { state.withLock { $0.isFetching } }

  private var isEnded: Bool { state.withLock { $0.isEnded } }

  /// What ends the waits of the channel's own thread; nobody sees it.
  private func requireServer() throws(Failure) {
    if isEnded { throw Failure(.bug, "the server has ended") }
  }

  private func run() {
    var check = WriteAheadLogCheck.Stream(control: control)
    var bytes: [UInt8] = []
    do throws(Failure) {
      while !isEnded {
        try requests.read(into: &bytes)
        guard let end = bytes.firstIndex(of: UInt8(ascii: "\n")) else {
          if bytes.count > 1024 { throw Self.malformed(bytes) }
          continue
        }
        let line = Array(bytes[..<end])
        bytes.removeSubrange(...end)
        try answer(line, &check)
      }
    } catch {
      state.withLock { if !$0.isEnded { $0.failure = error } }
    }
  }

  /// Answers one request; throws if the recovery is to end.
  private func answer(
    _ line: [UInt8], _ check: inout WriteAheadLogCheck.Stream
  ) throws(Failure) {
    let names = String(decoding: line, as: UTF8.self).split(separator: " ").map(String.init)
    guard names.count == 2, names.allSatisfy(WriteAheadLogFile.isName) else {
      throw Self.malformed(line)
    }
    let segment = WALSegmentName(names[0], segmentSize: control.walSegmentSize)
    if let segment { requested(segment) }
    let path = scratch.archive + "/" + names[0]
    guard try fetch(names[0], to: path, restartingAt: names[1]) else {
      try answers.write(Array("-\n".utf8).bytes, check: requireServer)
      return
    }
    // A command may make a link to its archive instead of a copy.
    let (file, byteCount) = try SystemCalls.openRegularFile(path, followsLink: true)
    try SystemCalls.unlink(path)
    var buffer = [UInt8](repeating: 0, count: 1 << 20)
    // The record of a tablespace may be anywhere: all is looked at before the first byte is given.
    if let segment { try check.decode(segment, of: file, byteCount: byteCount, &buffer) }
    try answers.write(Array("\(byteCount)\n".utf8).bytes, check: requireServer)
    var offset: UInt64 = 0
    while offset < byteCount {
      let count = try file.read(
        into: &buffer, count: Int(min(byteCount - offset, UInt64(buffer.count))), at: offset)
      guard count > 0 else {
        throw Failure(.readFailed, "WAL file '\(names[0])' became shorter while it was read")
      }
      try answers.write(buffer.bytes.extracting(0..<count), check: requireServer)
      offset += UInt64(count)
    }
  }

  /// Runs the user's command; false if it says that there is no such file.
  ///
  /// As for Postgres, a command that a signal ends, or that cannot be run, ends the recovery.
  /// (Postgres, `xlogarchive.c`, `RestoreArchivedFile`)
  private func fetch(
    _ name: String, to path: String, restartingAt restart: String
  ) throws(Failure) -> Bool {
    state.withLock { $0.isFetching = true }
    defer { state.withLock { $0.isFetching = false } }
    let text = Self.expanded(command, file: name, path: path, restart: restart)
    let result = try ChildProcess.run(
      ["/bin/sh", "-c", text].map { Array($0.utf8) }, environment: .all, log: scratch.log,
      check: requireServer)
    guard result.exitCode <= 125 else {
      throw Failure(
        .restoreCommandFailed,
        "the restore command failed for '\(name)': "
          + ServerLog.describe(result, log: scratch.log),
        hint: "Check the command of '--restore-command'. It must exit with 1 to 125 if the archive "
          + "does not have the file.")
    }
    return result.exitCode == 0
  }

  /// The command with `%f`, `%p`, `%r` and `%%` replaced, as Postgres does it.
  static func expanded(
    _ command: String, file: String, path: String, restart: String
  ) -> String {
    var text = ""
    var isAfterPercent = false
    for character in command {
      switch (isAfterPercent, character) {
      case (false, "%"):
        isAfterPercent = true
        continue
      case (false, _): text.append(character)
      case (true, "f"): text += file
      case (true, "p"): text += path
      case (true, "r"): text += restart
      case (true, "%"): text += "%"
      case (true, _): text += "%" + String(character)
      }
      isAfterPercent = false
    }
    return isAfterPercent ? text + "%" : text
  }

  private static func malformed(_ line: [UInt8]) -> Failure {
    Failure(
      .recoveryFailed, "the server asked for something that is not a WAL file: '\(escaped(line))'")
  }
}

/// The names of files of the WAL.
enum WriteAheadLogFile {
  /// Whether it is one of a segment or of a timeline's history, without any character that a shell
  /// or a file system takes for more than a letter. (Postgres, `xlog_internal.h`)
  static func isName(_ name: String) -> Bool {
    let digits = name.hasSuffix(".history") ? String(name.dropLast(8)) : name
    return digits.utf8.count == (digits == name ? 24 : 8)
      && digits.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x41...0x46).contains($0) }
  }
}
