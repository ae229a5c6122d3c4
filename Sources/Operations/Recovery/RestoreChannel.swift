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
/// Every segment is decoded before the server gets it, and in a recovery in one pass the pages that it
/// needs are put into the skeleton. A segment that the command does not have may be among those of the
/// copy, which the server takes then.
final class RestoreChannel: Sendable {
  private let command: String
  private let check: WriteAheadLogCheck
  private let start: LogSequenceNumber
  private let pages: SkeletonPages?
  private let requests: NamedPipe
  private let answers: NamedPipe
  /// How many the server allows for.
  private let preparedTransactionLimit: Int32
  private let requested: @Sendable (WALSegmentName) -> Void
  private let began: @Sendable (Checkpoint) throws(Failure) -> Void
  private let state = Mutex(State())

  private struct State {
    var isEnded = false
    var isFetching = false
    /// What the server gave for `%r` at last.
    var restart: String?
    var end: WALEnd?
    var settings: [String: Int32] = [:]
    /// The last segment that was asked for and that neither the command nor the copy had.
    var missing: WALSegmentName?
    var failure: Failure?
  }

  /// How many prepared transactions a server allows for that replays WAL which nobody has read yet.
  ///
  /// Of the settings that a cluster can raise on the way, only this one matters to it, as it has shared
  /// memory of that size, and tables of locks that grow with it: 35 MiB for 1,000 of them and 64 locks each.
  /// What is known of the cluster does not say what it raised the setting to later.
  /// (`twophase.c`, `PrepareRedoAdd`; the others are for queries meanwhile, `xlogrecovery.c`,
  /// `CheckRequiredParameterValues`)
  ///
  /// - Parameter settings: the cluster's, as far as they are known.
  static func preparedTransactionLimit(_ settings: [String: Int32]) -> Int32 {
    max(settings["max_prepared_transactions"] ?? 0, 1000)
  }

  /// Creates the pipes; `command` is what `restore_command` would be in Postgres. `requested` gets
  /// the name of every segment that the server asks for, `pages` the records of each before it does, and
  /// `began` the checkpoint that replay begins with, before the server reads it.
  init(
    command: String, check: WriteAheadLogCheck, _ log: WriteAheadLogCheck.Extent,
    preparedTransactionLimit: Int32,
    pages: SkeletonPages? = nil,
    requested: @escaping @Sendable (WALSegmentName) -> Void = { _ in },
    began: @escaping @Sendable (Checkpoint) throws(Failure) -> Void = { _ in }
  ) throws(Failure) {
    self.command = command
    self.check = check
    start = log.archiveStart
    self.preparedTransactionLimit = preparedTransactionLimit
    self.pages = pages
    self.requested = requested
    self.began = began
    requests = try NamedPipe(creating: check.scratch.channel + "/requests", mode: 0o622)
    answers = try NamedPipe(creating: check.scratch.channel + "/answers", mode: 0o644)
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

  /// Where the records end that the server has got, as far as they were looked at.
  var end: WALEnd? { state.withLock { $0.end } }

  /// The largest values that settings have in the records that the server has got, by name.
  var settings: [String: Int32] { state.withLock { $0.settings } }

  /// The last segment that the server asked for and that neither the command nor the copy had: it may have
  /// asked for earlier ones again since.
  var missing: WALSegmentName? { state.withLock { $0.missing } }

  /// Whether the user's command runs now, for which the server waits.
  var isFetching: Bool { state.withLock { $0.isFetching } }

  private var scratch: ScratchDirectory { check.scratch }

  private var isEnded: Bool { state.withLock { $0.isEnded } }

  /// What ends the waits of the channel's own thread; nobody sees it.
  private func requireServer() throws(Failure) {
    if isEnded { throw Failure(.bug, "the server has ended") }
  }

  private func run() {
    var bytes: [UInt8] = []
    do throws(Failure) {
      var stream = WriteAheadLogCheck.Stream(check.control, from: start)
      while !isEnded {
        try requests.read(into: &bytes)
        guard let end = bytes.firstIndex(of: UInt8(ascii: "\n")) else {
          if bytes.count > 1024 { throw Self.malformed(bytes) }
          continue
        }
        let line = Array(bytes[..<end])
        bytes.removeSubrange(...end)
        try answer(line, &stream)
      }
    } catch {
      state.withLock { if !$0.isEnded { $0.failure = error } }
    }
  }

  /// Answers one request; throws if the recovery is to end.
  private func answer(
    _ line: [UInt8], _ stream: inout WriteAheadLogCheck.Stream
  ) throws(Failure) {
    let names = String(decoding: line, as: UTF8.self).split(separator: " ").map(String.init)
    guard names.count == 2, names.allSatisfy(WriteAheadLogFile.isName) else {
      throw Self.malformed(line)
    }
    let segment = WALSegmentName(names[0], segmentSize: check.control.walSegmentSize)
    if let segment { requested(segment) }
    state.withLock { $0.restart = names[1] }
    var buffer = [UInt8](repeating: 0, count: 1 << 20)
    guard
      let (file, byteCount) = try fetch(names[0], restartingAt: names[1], check: requireServer)
    else {
      // All of the copy's own has been looked through; what of it is replayed shows now.
      let copy = try openCopy(of: names[0])
      if let segment, pages != nil, let (file, byteCount) = copy {
        try decode(segment, of: file, byteCount: byteCount, &buffer, &stream)
      }
      if let segment, copy == nil { state.withLock { $0.missing = segment } }
      try answers.write(Array("-\n".utf8).bytes, check: requireServer)
      return
    }
    // The record of a tablespace may be anywhere: all is looked at before the first byte is given.
    if let segment {
      try decode(segment, of: InputFile(file), byteCount: byteCount, &buffer, &stream)
    }
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

  private func decode(
    _ segment: WALSegmentName, of file: InputFile, byteCount: UInt64, _ buffer: inout [UInt8],
    _ stream: inout WriteAheadLogCheck.Stream
  ) throws(Failure) {
    let hadCheckpoint = stream.firstCheckpoint != nil
    try stream.decode(segment, of: file, byteCount: byteCount, &buffer) {
      record, change throws(Failure) in
      try pages?.take(record, change)
    }
    try pages?.flush()
    let (end, settings) = (stream.end, stream.settings)
    state.withLock {
      $0.end = end
      $0.settings = settings
    }
    if let count = settings["max_prepared_transactions"], count > preparedTransactionLimit {
      throw Failure(
        .recoveryFailed,
        "WAL segment '\(segment)' raises max_prepared_transactions to \(count), but the server that "
          + "replays it allows for \(preparedTransactionLimit)",
        hint: "Give the WAL with '--wal', which is read before the server starts.")
    }
    if !hadCheckpoint, let checkpoint = stream.firstCheckpoint { try began(checkpoint) }
  }

  /// A segment of the copy, in whose directory the server works; nil if it does not have it.
  private func openCopy(of name: String) throws(Failure) -> (InputFile, byteCount: UInt64)? {
    let directory = try DirectoryHandle(path: scratch.data)
      .openDirectory(DirectoryHandle.name("pg_wal"))
    let bytes = DirectoryHandle.name(name)
    guard let status = try directory.status(of: bytes), status.kind == .file else { return nil }
    return (try directory.openFile(bytes), status.byteCount)
  }

  /// Refuses the end of a replay that the archive contradicts: it has a segment after the one in which
  /// the replay ended, but not the rest of that one, also if it is asked for it again.
  ///
  /// A server asks for no more than the segment that it cannot go on in.
  ///
  /// - Parameters:
  ///   - history: of the timeline that begins at the end of the replay.
  func requireNoLaterSegment(before history: TimelineHistory) throws(Failure) {
    guard let end = history.parts.last?.start, let restart = state.withLock({ $0.restart }) else {
      return
    }
    let size = check.control.walSegmentSize
    func segment(_ position: LogSequenceNumber) -> WALSegmentName? {
      let number = position.rawValue / UInt64(size)
      let part = history.parts.dropLast().last { $0.start.rawValue / UInt64(size) <= number }
      return part.map {
        WALSegmentName(timelineID: $0.timelineID, containing: position, segmentSize: size)
      }
    }
    guard let last = segment(end), let next = segment(end + UInt64(size)),
      let later = try fetch(next.description, restartingAt: restart)
    else { return }
    var buffer = [UInt8](repeating: 0, count: 1 << 20)
    var decoder = try check.makeDecoder(
      from: .record(WALLayout.recordStart(atOrAfter: end, segmentSize: size)))
    func decode(
      _ found: (file: Descriptor, byteCount: UInt64), limit: UInt64
    ) throws(Failure) {
      try WriteAheadLogCheck.readPages(
        of: InputFile(found.file), upTo: min(found.byteCount, limit), into: &buffer
      ) { pages throws(Failure) in
        decoder.decode(pages) { _ in }
        return true
      }
    }
    // It may have come into the archive only now.
    if let found = try fetch(last.description, restartingAt: restart) {
      decoder.begin(last)
      try decode(found, limit: UInt64(size))
    }
    decoder.begin(next)
    guard decoder.hasEnded else { return }
    try decode(later, limit: WALLayout.pageSize)
    do throws(FormatError) {
      try decoder.finish().requireNoLaterSegment()
    } catch {
      throw Failure(
        error.code ?? .walDamaged, error.message,
        hint:
          "The restore command brings '\(next)', but not all of '\(last)'. Put that into the archive, "
          + "or say with '--recovery-target' where the recovery is to end before it.")
    }
  }

  /// Runs the user's command; nil if it says that there is no such file.
  ///
  /// As for Postgres, a command that a signal ends, or that cannot be run, ends the recovery.
  /// (Postgres, `xlogarchive.c`, `RestoreArchivedFile`)
  private func fetch(
    _ name: String, restartingAt restart: String, check: () throws(Failure) -> Void = {}
  ) throws(Failure) -> (file: Descriptor, byteCount: UInt64)? {
    state.withLock { $0.isFetching = true }
    defer { state.withLock { $0.isFetching = false } }
    let path = scratch.archive + "/" + name
    let text = Self.expanded(command, file: name, path: path, restart: restart)
    let result = try ChildProcess.run(
      ["/bin/sh", "-c", text].map { Array($0.utf8) }, environment: .all, log: scratch.log,
      check: check)
    guard result.exitCode <= 125 else {
      throw Failure(
        .restoreCommandFailed,
        "the restore command failed for '\(name)': "
          + ServerLog.describe(result, log: scratch.log),
        hint: "Check the command of '--restore-command'. It must exit with 1 to 125 if the archive "
          + "does not have the file.")
    }
    guard result.exitCode == 0 else { return nil }
    // A command may make a link to its archive instead of a copy.
    let found = try SystemCalls.openRegularFile(path, followsLink: true)
    try SystemCalls.unlink(path)
    return found
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
