import CNettle
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

/// A SHA-2 of bytes that come in pieces, made by nettle.
///
/// A value: a copy goes on by itself. (nettle, `sha2.h`)
enum SHA2 {
  case sha224(sha256_ctx)
  case sha256(sha256_ctx)
  case sha384(sha512_ctx)
  case sha512(sha512_ctx)

  /// The hash of no bytes yet.
  package init(_ algorithm: Algorithm) {
    var short = sha256_ctx()
    var long = sha512_ctx()
    // Invariant: each context is lent for the call that sets all of it.
    switch algorithm {
    case .sha224:
      unsafe nettle_sha224_init(&short)
      self = .sha224(short)
    case .sha256:
      unsafe nettle_sha256_init(&short)
      self = .sha256(short)
    case .sha384:
      unsafe nettle_sha384_init(&long)
      self = .sha384(long)
    case .sha512:
      unsafe nettle_sha512_init(&long)
      self = .sha512(long)
    }
  }

  /// The variants that a manifest can name, by the length of the hash in bits.
  package enum Algorithm { case sha224, sha256, sha384, sha512 }

  /// Adds the next bytes.
  package mutating func update(_ bytes: RawSpan) {
    // Invariant: context and buffer are lent for the call, the buffer with its length; of no bytes
    // nettle reads none.
    unsafe bytes.withUnsafeBytes { buffer in
      let start = unsafe buffer.baseAddress?.assumingMemoryBound(to: UInt8.self)
      let count = buffer.count
      switch self {
      case .sha224(var context):
        unsafe nettle_sha256_update(&context, count, start)
        self = .sha224(context)
      case .sha256(var context):
        unsafe nettle_sha256_update(&context, count, start)
        self = .sha256(context)
      case .sha384(var context):
        unsafe nettle_sha512_update(&context, count, start)
        self = .sha384(context)
      case .sha512(var context):
        unsafe nettle_sha512_update(&context, count, start)
        self = .sha512(context)
      }
    }
  }

  /// The checksum of everything taken in so far.
  package var value: [UInt8] {
    // Invariant: the context is a copy; the buffer is as long as nettle is told.
    switch self {
    case .sha224(var context):
      unsafe Self.digest(28) { unsafe nettle_sha224_digest(&context, $0, $1) }
    case .sha256(var context):
      unsafe Self.digest(32) { unsafe nettle_sha256_digest(&context, $0, $1) }
    case .sha384(var context):
      unsafe Self.digest(48) { unsafe nettle_sha384_digest(&context, $0, $1) }
    case .sha512(var context):
      unsafe Self.digest(64) { unsafe nettle_sha512_digest(&context, $0, $1) }
    }
  }

  private static func digest(
    _ byteCount: Int, _ body: (Int, UnsafeMutablePointer<UInt8>?) -> Void
  ) -> [UInt8] {
    unsafe [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, count in
      unsafe body(byteCount, buffer.baseAddress)
      count = byteCount
    }
  }
}
