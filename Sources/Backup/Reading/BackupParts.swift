import Pipeline
import System

/// A backup in several tars, read one after the other, each to its proper end.
final class BackupParts: BackupSource {
  typealias Open = (_ path: String) throws(Failure) -> TarReader

  /// The tar that is read; nil between two, so that only one has buffers.
  private var current: TarReader?
  private var rest: ArraySlice<String>
  private let open: Open
  private let progress: InputProgress
  /// The bytes of all tars; nil unless all are files.
  let inputByteCount: UInt64?

  /// Opens the first of `paths`; the others when it is their turn, but throws at once if one is missing.
  init(
    _ paths: [String], progress: InputProgress, _ open: @escaping Open
  ) throws(Failure) {
    var sum: UInt64? = 0
    for path in paths {
      let status = path == "-" ? nil : try SystemCalls.status(at: path, followingLinks: true)
      guard status?.kind != .directory else {
        throw Failure(
          .optionNotApplicable, "\(path.quoted) is a directory, not a part of a backup",
          hint: "Give several tars, or one data directory.")
      }
      if path != "-" { try requireReadable(path) }
      sum = status?.kind == .file ? sum.map { $0 + (status?.byteCount ?? 0) } : nil
    }
    inputByteCount = sum
    self.open = open
    self.progress = progress
    current = try open(paths[0])
    rest = paths.dropFirst()
    if let sum { progress.setInputByteCount(sum) }
  }

  var inputBytesRead: UInt64 { progress.inputBytesRead }
  var isCompressed: Bool { progress.isCompressed }
  var givesPages: Bool { true }

  func nextMember() throws(Failure) -> BackupMember? {
    while true {
      if let member = try current?.nextMember() { return member }
      guard let next = rest.popFirst() else { return nil }
      current = nil
      current = try open(next)
      if let inputByteCount { progress.setInputByteCount(inputByteCount) }
    }
  }

  func read(into buffer: inout MutableRawSpan) throws(Failure) -> Int {
    try current?.read(into: &buffer) ?? 0
  }

  func borrow(
    unitsOf byteCount: Int, limit: Int
  ) throws(Failure) -> (LentBuffer, Range<Int>)? {
    try current?.borrow(unitsOf: byteCount, limit: limit)
  }
}
