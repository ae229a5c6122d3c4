import Glibc
import PostgresFormat
import Synchronization

/// The free space that is left on a file system, whatever this program writes there: 1 % of it, at
/// most 1 GiB. Other programs stop when a disk is full; a backup that unpacks to more than anybody
/// thought is no reason for that.
///
/// Any thread may call it. Cost: an addition for a write, and a statvfs(2) for every 64 MiB, or less
/// if the reserve is small.
package final class SpaceReserve: Sendable {
  private let directory: DirectoryHandle
  private let reserve: UInt64
  /// By which option another directory is chosen; nil if none does.
  private let option: String?
  /// After how many bytes the file system is asked again.
  private let step: UInt64
  private let written = Atomic<UInt64>(0)

  private static let limit: UInt64 = 1 << 30
  private static let steps: ClosedRange<UInt64> = 1 << 20...64 << 20

  /// The reserve of the file system that holds a directory, which `option` has chosen; `byteCount` bytes
  /// if that is given, and none if the file system does not say how large it is.
  package init(_ directory: DirectoryHandle, option: String?, byteCount: UInt64? = nil) {
    self.directory = directory
    self.option = option
    reserve = byteCount ?? min(Self.limit, ((try? directory.space())?.total ?? 0) / 100)
    step = min(max(reserve / 4, Self.steps.lowerBound), Self.steps.upperBound)
  }

  /// Counts what has been written.
  ///
  /// - Throws: `.inputOutput` if less than the reserve is left.
  package func didWrite(_ byteCount: Int) throws(Failure) {
    let before = written.wrappingAdd(UInt64(byteCount), ordering: .relaxed).oldValue
    if before / step != (before &+ UInt64(byteCount)) / step { try check() }
  }

  /// Throws if less than the reserve is left, whoever has written.
  package func check() throws(Failure) {
    guard reserve > 0 else { return }
    let free = try directory.space().free
    guard free < reserve else { return }
    throw Failure(
      .noSpace,
      "the file system of \(directory.path.quoted) has only \(free >> 10) KiB free, and "
        + "\(reserve >> 10) KiB of it are kept free",
      hint: hint)
  }

  private var hint: String {
    "Free space there, or choose another directory" + (option.map { " with '\($0)'." } ?? ".")
  }

  /// An error of writing there: if there is no space, its hint says how to choose another directory.
  func explained(_ error: Failure) -> Failure {
    guard error.code == .noSpace else { return error }
    var error = error
    error.hint = hint
    return error
  }
}

extension DirectoryHandle {
  /// The bytes of the file system that holds the directory, and those that are free.
  func space() throws(Failure) -> (total: UInt64, free: UInt64) {
    var status = statvfs()
    // Invariant: the structure is lent for the call, which fills it.
    _ = try SystemCalls.retrying(.measure, path) {
      unsafe fstatvfs(descriptor.number, &status)
    }
    func byteCount(_ blocks: fsblkcnt_t) -> UInt64 {
      let (count, overflows) = UInt64(blocks)
        .multipliedReportingOverflow(by: UInt64(status.f_frsize))
      return overflows ? .max : count
    }
    return (byteCount(status.f_blocks), byteCount(status.f_bavail))
  }
}
