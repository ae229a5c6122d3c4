import Glibc
import PostgresFormat

/// The codes of calls of the system that failed, by what the call was for and its errno value.
extension ErrorCode {
  /// Opening an input.
  package static func opening(_ reason: Int32) -> ErrorCode {
    switch reason {
    case ENOENT, ENOTDIR: .inputNotFound
    case EACCES, EPERM: .inputPermissionDenied
    case ENOSPC, EDQUOT: .noSpace
    default: .cannotOpenInput
    }
  }

  /// Creating a file or a directory, or locking one.
  package static func creating(_ reason: Int32) -> ErrorCode {
    switch reason {
    case EIO: .writeFailed
    case ENOENT, ENOTDIR: .outputNotFound
    case EACCES, EPERM, EROFS: .outputPermissionDenied
    default: .cannotCreateOutput
    }
  }

  /// Writing, and everything that makes output durable.
  package static func writing(_ reason: Int32) -> ErrorCode {
    switch reason {
    case ENOSPC, EDQUOT: .noSpace
    case EPIPE: .brokenPipe
    default: .writeFailed
    }
  }
}
