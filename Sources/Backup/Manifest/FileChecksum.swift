import PostgresFormat

/// The checksum of a file in one of the ways that a manifest knows, of bytes that come in pieces.
///
/// CRC-32C takes 0.02 to 0.1 s a GiB, as the bytes are in the cache or not, SHA-256 0.6 s where the
/// processor has instructions for it.
enum FileChecksum {
  case none
  case crc32c(CRC32C)
  case sha2(SHA2, BackupManifest.ChecksumAlgorithm)

  /// The checksum of no bytes yet.
  package init(_ algorithm: BackupManifest.ChecksumAlgorithm) {
    switch algorithm {
    case .none: self = .none
    case .crc32c: self = .crc32c(CRC32C())
    case .sha224: self = .sha2(SHA2(.sha224), algorithm)
    case .sha256: self = .sha2(SHA2(.sha256), algorithm)
    case .sha384: self = .sha2(SHA2(.sha384), algorithm)
    case .sha512: self = .sha2(SHA2(.sha512), algorithm)
    }
  }

  /// The algorithm that the checksum is computed with.
  package var algorithm: BackupManifest.ChecksumAlgorithm {
    switch self {
    case .none: .none
    case .crc32c: .crc32c
    case .sha2(_, let algorithm): algorithm
    }
  }

  /// Adds the next bytes of the file.
  package mutating func update(_ bytes: RawSpan) {
    switch self {
    case .none: break
    case .crc32c(var checksum):
      checksum.update(bytes)
      self = .crc32c(checksum)
    case .sha2(var checksum, let algorithm):
      checksum.update(bytes)
      self = .sha2(checksum, algorithm)
    }
  }

  /// A CRC-32C as a manifest spells it.
  package static func bytes(of checksum: UInt32) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: checksum >> (8 * $0)) }
  }

  /// The checksum as a manifest spells it, in bytes: a CRC-32C is little-endian.
  package var value: [UInt8] {
    switch self {
    case .none: []
    case .crc32c(let checksum): Self.bytes(of: checksum.value)
    case .sha2(let checksum, _): checksum.value
    }
  }
}
