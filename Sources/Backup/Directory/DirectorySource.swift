import PostgresFormat
import System

/// Gets what is wrong with a directory that is to be read all the same, before anything of it is given.
package typealias ReportWhileReading = @Sendable (Failure) throws(Failure) -> Void

/// A data directory as one stream of records, each followed by its file's contents if they are
/// read; the reading thread's end of `DirectoryReader`.
///
/// One pass over the names adds up the sizes, a second gives the stream. A file gives exactly the
/// bytes that its record claims, or an error.
final class DirectorySource: ByteSource {
  private let root: DirectoryHandle
  private let contents: DirectoryContents
  /// Whether pages are wanted and no server ran in the directory, so that none may run at the end.
  private let staysStopped: Bool
  private let progress: InputProgress
  private var walk: DirectoryWalk

  /// What comes next, its files open; at most `aheadLimit`.
  private var ahead: [Ahead] = []
  /// Why nothing comes after that.
  private var walkFailure: Failure?
  private var isWalkAtEnd = false

  /// What is left of the record that is being given.
  private var record: ArraySlice<UInt8> = []
  private var file: OpenFile?
  /// What the control file was when it was read, which is first.
  private var controlFile: DirectoryWalk.Found?
  private var failure: Failure?

  private final class OpenFile {
    let file: InputFile
    let status: FileStatus
    var bytesLeft: UInt64

    init(_ file: consuming InputFile, _ status: FileStatus) {
      self.file = file
      self.status = status
      bytesLeft = status.byteCount
    }
  }

  private struct Ahead {
    let member: BackupMember
    let file: OpenFile?
  }

  private static let controlFileName = "global/pg_control"

  /// How many files are open and announced to the system before their turn.
  private static let aheadLimit = 32

  /// Opens the data directory and adds up what is to be read.
  ///
  /// Throws `.cannotOpen` if there is none, and, if pages are to be read, `.unsupported` if
  /// a server works in it; with `report` that goes there, and the directory is read all the same.
  package init(
    path: String, contents: DirectoryContents, linked: [String: DirectoryHandle] = [:],
    sizeLimit: SizeLimit? = nil, report: ReportWhileReading? = nil, progress: InputProgress
  ) throws(Failure) {
    let root = try DirectoryHandle(path: path)
    try requireDataDirectory(path)
    var staysStopped = contents.readsPages
    do throws(Failure) {
      if contents.readsPages { try ServerLock.requireNone(in: root) }
    } catch {
      guard let report else { throw error }
      try report(error)
      staysStopped = false
    }
    self.root = root
    self.staysStopped = staysStopped
    self.progress = progress
    walk = try DirectoryWalk(of: root, linked: linked)
    self.contents = try Self.survey(
      root, linked, contents, endsAtUnexpectedFiles: report == nil, progress)
    try sizeLimit?.require(progress.inputByteCount ?? 0)
  }

  /// Adds up the sizes; gives what is to be read.
  ///
  /// A directory with a file that is refused will not be imported: then pages need not be read for
  /// the rest of what there is to say.
  private static func survey(
    _ root: DirectoryHandle, _ linked: [String: DirectoryHandle], _ contents: DirectoryContents,
    endsAtUnexpectedFiles: Bool, _ progress: InputProgress
  ) throws(Failure) -> DirectoryContents {
    var walk = try DirectoryWalk(of: root, linked: linked)
    var sum: UInt64 = 0
    var contents = contents
    while let found = try walk.next() {
      switch found.member.decision {
      case .unexpected where endsAtUnexpectedFiles: contents = .smallFiles
      case .some(let decision):
        if contents.contains(found.member, decision) { sum &+= found.member.byteCount }
      case nil: break
      }
    }
    progress.setInputByteCount(sum)
    if !contents.readsPages { progress.setWithoutPages() }
    return contents
  }

  /// Gives what there is before an error, and the error with the next call.
  package func fill(_ output: inout OutputRawSpan) throws(Failure) {
    if let failure { throw failure }
    do throws(Failure) {
      while !output.isFull, try advance(&output) {}
    } catch {
      if output.byteCount == 0 { throw error }
      failure = error
    }
  }

  /// Appends some bytes, or gets some to append; false at the end.
  private func advance(_ output: inout OutputRawSpan) throws(Failure) -> Bool {
    if !record.isEmpty {
      let count = min(record.count, output.freeCapacity)
      let bytes = Array(record.prefix(count))
      output.append(bytes.bytes)
      record = record.dropFirst(count)
    } else if let file {
      try read(file, into: &output)
    } else if let next = try nextAhead() {
      record = MemberRecord(member: next.member, hasContents: next.file != nil).encoded()[...]
      file = next.file
    } else {
      try requireStillStopped()
      return false
    }
    return true
  }

  /// The next member with its file; nil at the end. An error of the walk comes in its turn.
  private func nextAhead() throws(Failure) -> Ahead? {
    while ahead.count < Self.aheadLimit, !isWalkAtEnd, walkFailure == nil {
      do throws(Failure) {
        if let found = try walk.next() {
          ahead.append(try open(found))
        } else {
          isWalkAtEnd = true
        }
      } catch {
        walkFailure = error
      }
    }
    if !ahead.isEmpty { return ahead.removeFirst() }
    if let walkFailure { throw walkFailure }
    return nil
  }

  private func open(_ found: DirectoryWalk.Found) throws(Failure) -> Ahead {
    guard let decision = found.member.decision, contents.contains(found.member, decision) else {
      return Ahead(member: found.member, file: nil)
    }
    let file = try found.parent.openFile(found.name)
    if found.member.name == Self.controlFileName { controlFile = found }
    guard try file.status() == found.status else { throw DirectoryHandle.changed(file.path) }
    file.announceReads(of: found.status.byteCount)
    return Ahead(member: found.member, file: OpenFile(file, found.status))
  }

  /// Sees at the end that no server has started meanwhile: what was read before then would not
  /// belong to what was read after.
  ///
  /// A server writes the control file when it starts and when it stops.
  private func requireStillStopped() throws(Failure) {
    guard staysStopped else { return }
    try ServerLock.requireNone(in: root)
    guard let controlFile else { return }
    guard try controlFile.parent.status(of: controlFile.name) == controlFile.status else {
      throw DirectoryHandle.changed(root.path + "/" + Self.controlFileName)
    }
  }

  private func read(_ open: OpenFile, into output: inout OutputRawSpan) throws(Failure) {
    if open.bytesLeft > 0 {
      progress.setReading(true)
      defer { progress.setReading(false) }
      let count = try open.file.read(into: &output, atMost: open.bytesLeft)
      guard count > 0 else { throw DirectoryHandle.changed(open.file.path) }
      open.bytesLeft -= UInt64(count)
      progress.addBytesRead(count)
    } else {
      guard try open.file.status() == open.status else {
        throw DirectoryHandle.changed(open.file.path)
      }
      file = nil
    }
  }
}

extension BackupMember {
  /// What an import does with the member; nil for a name that is refused as a name.
  fileprivate var decision: MemberDecision? {
    guard let path = try? MemberPath(Array(name.utf8).bytes) else { return nil }
    return MemberDecision(path, kind: kind)
  }
}
