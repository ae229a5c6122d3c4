import Glibc
import PostgresFormat

/// An open directory, in which names are looked up without following links.
///
/// Every name is looked up from the open directory above it, so that nothing that happens to the
/// directories meanwhile leads out of them. A descriptor each.
package final class DirectoryHandle: Sendable {
  /// A name as in the file system, with a NUL at the end.
  package typealias Name = [CChar]

  /// The path of the directory, for messages.
  package var path: String { descriptor.name }
  let descriptor: Descriptor

  /// Opens a directory by its path, which may be a link to it.
  package convenience init(path: String) throws(Failure) {
    self.init(try SystemCalls.openDirectory(path, .open))
  }

  init(_ descriptor: Descriptor) { self.descriptor = descriptor }

  /// A text as a name.
  package static func name(_ text: String) -> Name { Array(text.utf8CString) }

  /// The status of a name, without following a link; nil if it does not exist.
  package func status(of name: Name) throws(Failure) -> FileStatus? {
    var status = stat()
    // Invariant: the name is a C string, and the structure is lent for the call, which fills it.
    while unsafe fstatat(descriptor.number, name, &status, AT_SYMLINK_NOFOLLOW) != 0 {
      let reason = errno
      if reason == ENOENT { return nil }
      if reason != EINTR { throw failure(name, reason) }
    }
    return FileStatus(status)
  }

  /// Whether somebody has the directory's lock, as an import has that of the timeline it writes.
  ///
  /// Takes the lock itself for a moment, shared with others that look; false if the file system has
  /// no locks.
  package func isLocked() -> Bool { descriptor.isLocked() }

  /// Whether `path`, links followed, leads to this directory.
  package func isDirectory(at path: String) throws(Failure) -> Bool {
    guard path.hasPrefix("/"), SystemCalls.exists(path) else { return false }
    return try SystemCalls.status(at: path, followingLinks: true)?
      .isSameFile(as: try descriptor.status()) == true
  }

  /// Whether a process has this as its working directory; nil if the system does not say.
  package func isWorkingDirectory(of process: Int32) -> Bool? {
    let link = "/proc/\(process)/cwd"
    guard SystemCalls.exists(link), let own = try? descriptor.status() else { return nil }
    return (try? SystemCalls.status(at: link, followingLinks: true))?.isSameFile(as: own)
  }

  /// Opens a directory in this one.
  package func openDirectory(_ name: Name) throws(Failure) -> DirectoryHandle {
    DirectoryHandle(try open(name, O_DIRECTORY))
  }

  /// Opens a file that `status` says is a regular one.
  ///
  /// Does not wait if the file has been replaced by something else.
  package func openFile(_ name: Name) throws(Failure) -> InputFile {
    InputFile(try open(name, O_NONBLOCK | O_NOCTTY))
  }

  func open(_ name: Name, _ flags: Int32) throws(Failure) -> Descriptor {
    while true {
      let opened = unsafe openat(descriptor.number, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | flags)
      if opened >= 0 { return Descriptor(opened, name: path(of: name)) }
      let reason = errno
      if reason != EINTR { throw failure(name, reason) }
    }
  }

  /// What a symbolic link in this directory points to.
  package func linkTarget(of name: Name) throws(Failure) -> String {
    Self.text(try targetName(of: name))
  }

  /// The same as it is in the file system; an empty name is that of a link that is open itself.
  func targetName(of name: Name) throws(Failure) -> Name {
    var target = Name(repeating: 0, count: Int(PATH_MAX) + 1)
    while true {
      // Invariant: the array is lent for the call, which writes no more than the count given.
      let count = unsafe readlinkat(descriptor.number, name, &target, target.count - 1)
      if count >= 0 { return Name(target[...count]) }
      let reason = errno
      if reason != EINTR { throw failure(name, reason) }
    }
  }

  /// All names in the directory, in no order, without `.` and `..`.
  package func names() throws(Failure) -> [Name] {
    let duplicate = try SystemCalls.retrying(.list, path) {
      fcntl(descriptor.number, F_DUPFD_CLOEXEC, 0)
    }
    var opened: OpaquePointer?
    repeat {
      unsafe opened = fdopendir(duplicate)
    } while unsafe opened == nil && errno == EINTR
    guard let stream = unsafe opened else {
      let reason = errno
      close(duplicate)
      throw SystemCalls.failure(.list, path, reason)
    }
    defer { unsafe _ = closedir(stream) }
    // A duplicate descriptor continues at the end of the last listing.
    unsafe rewinddir(stream)
    var names: [Name] = []
    while true {
      errno = 0
      // Invariant: the entry is valid until the next readdir on this stream, which only this
      // function has; its name is a C string and is copied.
      guard let entry = unsafe readdir(stream) else {
        let reason = errno
        if reason == 0 { return names }
        if reason != EINTR { throw SystemCalls.failure(.list, path, reason) }
        continue
      }
      let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        unsafe bytes.prefix { $0 != 0 }.map { CChar(bitPattern: $0) }
      }
      if name != [0x2E] && name != [0x2E, 0x2E] { names.append(name + [0]) }
    }
  }

  /// Everything in the directory, what a directory holds before itself; the directory itself is not
  /// among it. Links are not followed.
  ///
  /// `body` gets the handle of the directory that holds the name. Another process that changes
  /// names meanwhile cannot lead it elsewhere.
  package func forEach(
    _ body: (DirectoryHandle, Name, FileStatus) throws(Failure) -> Void
  ) throws(Failure) {
    for name in try names() {
      guard let status = try status(of: name) else { continue }
      if status.kind == .directory { try openDirectory(name).forEach(body) }
      try body(self, name, status)
    }
  }

  /// The bytes of all files in the directory and below; links are not followed.
  package func byteCount() throws(Failure) -> UInt64 {
    var sum: UInt64 = 0
    try forEach { _, _, status in
      if status.kind == .file { sum &+= status.byteCount }
    }
    return sum
  }

  func path(of name: Name) -> String { path + "/" + Self.text(name) }

  /// A name as text; what is not UTF-8 in it becomes U+FFFD, as with a tar's.
  package static func text(_ name: Name) -> String {
    String(decoding: name.dropLast().lazy.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  /// The error of a call that failed on a name.
  private func failure(_ name: Name, _ reason: Int32) -> Failure {
    switch reason {
    case ENOENT, ENOTDIR, ELOOP, ESTALE: Self.changed(path(of: name))
    case EIO: SystemCalls.failure(.read, path(of: name), reason)
    default: SystemCalls.failure(.open, path(of: name), reason)
    }
  }

  /// The error of a file that is not what it was a moment ago.
  package static func changed(_ path: String) -> Failure {
    Failure(
      .directoryChanged, "\(path.quoted) changed or disappeared while the directory was read",
      hint:
        "Another process is changing the data directory. Make sure that none does, and try again.")
  }
}
