import Glibc

/// A user of the operating system.
package struct SystemUser: Sendable {
  /// The login name.
  package let name: String
  /// The user's number; 0 is root.
  package let id: UInt32
  /// The number of the user's own group.
  package let group: UInt32

  /// The number of the user that this process acts as.
  package static var ownID: UInt32 { geteuid() }

  /// The user of that name; nil if none has it.
  package init?(named name: String) {
    // Invariant: the entry is read before another call replaces it; this program looks up users on
    // one thread. The name in it is a C string.
    guard let entry = unsafe getpwnam(name) else { return nil }
    unsafe self.init(entry.pointee)
  }

  /// The user of that number; nil if it has no name.
  package init?(id: UInt32) {
    // Invariant: as above.
    guard let entry = unsafe getpwuid(id) else { return nil }
    unsafe self.init(entry.pointee)
  }

  private init(_ entry: passwd) {
    unsafe name = String(cString: entry.pw_name)
    id = unsafe entry.pw_uid
    group = unsafe entry.pw_gid
  }
}
