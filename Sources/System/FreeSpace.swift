import Glibc

/// Asks the output's file system for room before anything is written.
package enum FreeSpace {
  /// The bytes that an import of this size needs at the very least.
  ///
  /// Meant to be too low, so that nothing that would fit is refused: a sixteenth of a plain tar,
  /// as pages shrink to a tenth at best and some of a backup is left out; half of a compressed
  /// one, as pages that are compressed one by one take more room than a whole stream.
  package static func leastNeeded(inputByteCount: UInt64, isCompressed: Bool, level: Int32)
    -> UInt64
  {
    if isCompressed { return inputByteCount / 2 }
    return level == 0 ? inputByteCount / 4 : inputByteCount / 16
  }

  /// Throws `.inputOutput` if the file system of `path` has clearly too little room.
  ///
  /// - Parameters:
  ///   - purpose: what needs the room.
  ///   - option: by which option another place is chosen.
  package static func require(
    _ byteCount: UInt64, at path: String, purpose: String = "the import",
    option: String = "--output"
  ) throws(Failure) {
    var status = statvfs()
    // Invariant: the structure is lent for the call, which fills it.
    _ = try SystemCalls.retrying(.measure, path) { unsafe statvfs(path, &status) }
    let (free, overflows) = UInt64(status.f_bavail)
      .multipliedReportingOverflow(by: UInt64(status.f_frsize))
    guard overflows || free >= byteCount else {
      throw Failure(
        .inputOutput,
        "the file system of \(path.quoted) has \(free >> 20) MiB free, and \(purpose) needs at least "
          + "\(byteCount >> 20) MiB",
        hint: "Free space there, or choose another \(option) directory.")
    }
  }
}
