import CNettle

/// A SHA-2 of bytes that come in pieces, made by nettle.
///
/// A value: a copy goes on by itself. SHA-256 takes 0.6 s a GiB if the processor has instructions for
/// it, which nettle uses then, else four times as much. (nettle, `sha2.h`)
package enum SHA2: Sendable {
  /// A hash of 28 bytes, as far as it has come.
  case sha224(sha256_ctx)
  /// A hash of 32 bytes, as far as it has come.
  case sha256(sha256_ctx)
  /// A hash of 48 bytes, as far as it has come.
  case sha384(sha512_ctx)
  /// A hash of 64 bytes, as far as it has come.
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

  /// The variants.
  package enum Algorithm {
    /// Each is called by the length of its hash in bits.
    case sha224, sha256, sha384, sha512
  }

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
