import Glibc

/// The variables that the program was started with; nothing here changes them.
package enum Environment {
  /// The value of a variable, what is not UTF-8 in it repaired; nil if it is not set.
  package static subscript(name: String) -> String? {
    // Invariant: nothing in the program changes the environment, so the string stays until it is
    // copied.
    unsafe getenv(name).map { unsafe String(cString: $0) }
  }
}
